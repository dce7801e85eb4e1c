using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.DmCache.Policies;
using Weir.Core.DmCache.Settings;
using Weir.Core.DmCache.Tools;
using Weir.Core.DmCache.Volume;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Xunit;

namespace Weir.Tests.Stress.Engines;

/// <summary>
/// The <c>dmcache</c> engine under stress: two dozen blocks before four times as many, behind metadata at the head of
/// the same device; all modes and policies, one after another.
/// </summary>
internal sealed class StressDmCache : IStressEngine
{
    private const int Places = 24, BlockBytes = 32 << 10;
    private const long HeadBytes = (4 << 20) + 4096;

    private static readonly string[][] s_settings =
    [
        ["mode", "writeback", "writeback", "writethrough", "passthrough"],
        ["policy", .. NamesOfPolicies()],
        ["migration_threshold", "64", "256", "204800"], ["migration_rate", "0", "0", "20"],
        ["sequential_threshold", "0", "4", "512"], ["discard_passdown", "0", "1"],
        ["writeback_threshold", "0", "100"], ["high_watermark", "0", "30", "100"], ["force_migrate", "0", "1"],
        ["allow_writeback", "0", "1", "1"], ["writeback_latency_target", "0", "1ms"], ["idle_ms", "0", "1", "200"],
        ["drain", "begin", "end"],
    ];

    public string Name => "dmcache";

    public bool HasCache => true;

    public bool GrowsCache => false;

    public long CacheBytes => HeadBytes + (Places * BlockBytes);

    public int Residents => 1;

    public int Guests => 0;

    public void Format(IoContext io, Device cache)
    {
        using MetadataDevice metadata = new(io, cache);
        new CacheFormat(metadata, version: 2, BlockBytes).Run(cache.SizeBytes, isAtHead: true);
    }

    public StressLife Open(IoContext io, Device? cache, IReadOnlyList<(string Name, Device Device)> disks)
    {
        DmCacheOptions options = new() { IdleUs = 1000, Policy = "lru" };
        Device backing = new KeptDevice(disks[0].Device);
        return new Life(DmCacheVolume.Open(io, new KeptDevice(cache!), null, backing, options), options);
    }

    private static string[] NamesOfPolicies()
    {
        string[] names = new string[PolicyTable.All.Length];
        for (int i = 0; i < names.Length; i++) names[i] = PolicyTable.All[i].Name;
        return names;
    }

    private sealed class Life(DmCacheVolume volume, DmCacheOptions options) : StressLife(volume)
    {
        private readonly List<Tunable> _tunables = DmCacheTunables.Of(options);
        private bool _drains;

        public override bool IsDrained => volume.DrainBlocksLeft == 0;

        public override bool IsEnough => HasMoved(new StatusFigures(volume));

        public override void Drain() => volume.BeginDrain();

        public override void Tune(ref Prng random, Action growCache)
        {
            string[] setting = s_settings[random.Below(s_settings.Length)];
            string value = setting[random.Between(1, setting.Length - 1)];
            if (setting[0] == "drain") SetDrain(value == "begin");
            else Tunable.Find(_tunables, setting[0]).Set(value, atStart: false);
        }

        public override string Judge()
        {
            StatusFigures figures = new(volume);
            string summary = $"{figures["promotions"]} promotions, {figures["demotions"]} demotions, "
                + $"{figures["blocks_written_back"]} blocks written back, {figures["commits"]} commits, "
                + $"{figures["read_hits"]} read hits, {figures["write_hits"]} write hits";
            Assert.Equal(VolumeState.Healthy, volume.Health.State);
            Assert.True(HasMoved(figures), "too little has moved: " + summary);
            return summary;
        }

        private static bool HasMoved(StatusFigures figures) => figures["promotions"] > 2 * Places
            && figures["demotions"] > Places && figures["blocks_written_back"] > Places;

        private void SetDrain(bool on)
        {
            if (on && !_drains) volume.BeginDrain();
            if (!on && _drains) volume.EndDrain();
            _drains = on;
        }
    }
}

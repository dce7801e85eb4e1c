using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Weir.Core.Writeboost.Volume;
using Xunit;

namespace Weir.Tests.Stress.Engines;

/// <summary>The <c>writeboost</c> engine under stress: a log of few and small segments, everything tuned.</summary>
internal sealed class StressWriteboost : IStressEngine
{
    private static readonly string[][] s_settings =
    [
        ["read_cache_threshold", "0", "127", "127"], ["write_around_mode", "0", "0", "1"],
        ["bypass_sequential_writes", "0", "16"], ["writeback_threshold", "0", "100", "b=30"],
        ["high_watermark", "0", "30", "100"], ["nr_max_batched_writeback", "1", "4", "32"],
        ["force_migrate", "0", "1"], ["allow_writeback", "0", "1"], ["enable_writeback_modulator", "0", "1"],
        ["writeback_latency_target", "0", "1ms"], ["sync_data_interval", "0", "1"], ["idle_ms", "0", "1", "200"],
        ["scrub_interval", "0", "1", "1"], ["drain"], ["cancel_drain"], ["drop_caches"], ["flush_current_buffer"],
        ["commit_super_block"], ["dirty_ranges"], ["grow"],
    ];

    public string Name => "writeboost";

    public bool HasCache => true;

    public int Residents => 2;

    public int Guests => 2;

    public void Format(IoContext io, Device cache) =>
        WriteboostFormat.Format(io, cache, Layout.Native, 128 << 10, Guid.NewGuid);

    public StressLife Open(IoContext io, Device? cache, IReadOnlyList<(string Name, Device Device)> disks)
    {
        List<BackingSpec> specs = [];
        foreach ((string name, Device device) in disks) specs.Add(new BackingSpec(null, name, device));
        WriteboostOptions options = new()
        {
            RamSegments = 4, RangeBudget = 16, IdleUs = 1000, SyncIntervalUs = 20_000, ReadCacheThreshold = 127,
            VerifyReads = true, ScrubIntervalUs = 1_000_000,
        };
        return new Life(WriteboostVolume.Open(io, cache!, specs, new PrivateMemory(), options), options);
    }

    private sealed class Life(WriteboostVolume volume, WriteboostOptions options) : StressLife(volume)
    {
        private readonly List<Tunable> _tunables = WriteboostTunables.Of(options);
        private readonly List<VolumeCommand> _commands = WriteboostCommands.Of(volume);

        public override bool IsDrained => volume.IsDrained;

        public override void Drain() => volume.Drain();

        public override ushort NumberOf(string disk) => volume.ExportOf(disk).Device;

        public override void Tune(ref Prng random, Action growCache)
        {
            string[] setting = s_settings[random.Below(s_settings.Length)];
            if (setting[0] == "grow") growCache();
            if (VolumeCommand.FindOrNull(_commands, setting[0]) is { } command)
                _ = (command.Begin?.Invoke(), command.Answer?.Invoke());
            else
                Tunable.Find(_tunables, setting[0]).Set(setting[random.Between(1, setting.Length - 1)], atStart: false);
        }

        public override ushort Attach(string disk, Device device) =>
            ((IVolumeExport)volume.Attach(new BackingSpec(null, disk, device))).Device;

        public override bool TryDetach(string disk, Func<bool> callsOff)
        {
            try
            {
                volume.Detach(disk, callsOff);
                return true;
            }
            catch (UserErrorException error)
            {
                Assert.Contains("stays attached: interrupted", error.Message, StringComparison.Ordinal);
                return false;
            }
        }

        public override string Judge()
        {
            StatusFigures figures = new(volume);
            string summary = $"{figures["segment_tail"]} segments reused, {figures["blocks_written_back"]} blocks "
                + $"written back, {figures["blocks_staged"]} staged, {figures["write_around_bytes"]} bytes round the "
                + $"log, {figures["scrub_segments"]} segments scrubbed, {figures["log_flushes"]} flushes";
            Assert.Equal(VolumeState.Healthy, volume.Health.State);
            Assert.Equal(0, figures["rotten_clean"] + figures["rotten_dirty"] + figures["scrub_errors"]);
            Assert.True(figures["segment_tail"] > figures["segments"], "the log has not been round once: " + summary);
            return summary;
        }
    }
}

using System;
using System.Collections.Generic;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Backings;
using Weir.Tests.Writeboost;
using Xunit;

namespace Weir.Tests.Stress;

/// <summary>A volume's lives: clients on their queues, and one thread that gives orders.</summary>
internal sealed unsafe class StressVolume
{
    private const int Clients = 3, AlwaysThere = 2;

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

    private readonly StressDevices _devices;
    private readonly StressDisk[] _disks = new StressDisk[AlwaysThere + 2];
    private readonly StressClient[] _clients = new StressClient[Clients];
    private Prng _random = new(99);
    private int _guest = -1;
    private int _controlled;

    public StressVolume(StressDevices devices)
    {
        _devices = devices;
        for (int i = 0; i < _disks.Length; i++)
            _disks[i] = new StressDisk($"{(char)('a' + i)}", i, Clients, mayGo: i >= AlwaysThere);
        for (int i = 0; i < Clients; i++) _clients[i] = new StressClient(_disks, i, Clients);
    }

    public long Detaches { get; private set; }

    public long CalledOff { get; private set; }

    /// <summary>Of the last life.</summary>
    public string Summary { get; private set; } = "";

    /// <summary>One life; what was wrong, or null.</summary>
    public Exception? Live(int ms, Enum? mutant)
    {
        using RingContext io = new();
        using Device cache = _devices.OpenCache();
        List<BackingSpec> specs = Specs();
        WriteboostOptions options = Options();
        WriteboostVolume volume = WriteboostVolume.Open(io, cache, specs, new PrivateMemory(), options);
        foreach (BackingSpec spec in specs) _disks[spec.Name[0] - 'a'].Serve(volume.ExportOf(spec.Name).Device);
        _controlled = 0;
        long detached = Detaches;
        List<Action<Contention>> work = [contention => Control(volume, options, contention)];
        foreach (StressClient client in _clients)
            work.Add(contention => client.Run(volume, contention, () => Volatile.Read(ref _controlled) != 0));
        Exception? failure = Contention.Run(ms, mutant, () => Detaches > detached, work);
        if (failure != null) return failure;
        Judge(volume);
        foreach (StressDisk disk in _disks) disk.Withdraw();
        volume.Dispose();
        foreach (BackingSpec spec in specs) spec.Device.Dispose();
        return null;
    }

    /// <summary>Reads everything through the cache, drains it, and reads everything from the devices.</summary>
    public void Verify()
    {
        using Device cache = _devices.OpenCache();
        List<BackingSpec> specs = Specs();
        using (DirectClient client = new(cache, specs, Options(), new PrivateMemory()))
        {
            foreach (BackingSpec spec in specs) Verify(client, _disks[spec.Name[0] - 'a']);
            client.DrainAll();
            client.Stop();
        }
        foreach (BackingSpec spec in specs) spec.Device.Dispose();
        for (int i = 0; i < _disks.Length; i++)
        {
            string? wrong = _devices.Judge(i, _disks[i]);
            Assert.True(wrong == null, $"after the drain: {wrong}");
        }
    }

    private static void Verify(DirectClient client, StressDisk disk)
    {
        const int Step = 64;
        client.Device = client.Volume.ExportOf(disk.Name).Device;
        for (int sector = 0; sector < StressDisk.Sectors; sector += Step)
            fixed (byte* data = client.Read(sector * 512L, Step * 512))
            {
                string? wrong = disk.Judge(data, sector, Step);
                Assert.True(wrong == null, $"opened anew: {wrong}");
            }
    }

    private static WriteboostOptions Options() => new()
    {
        RamSegments = 4, RangeBudget = 16, IdleUs = 1000, SyncIntervalUs = 20_000, ReadCacheThreshold = 127,
        VerifyReads = true, ScrubIntervalUs = 1_000_000,
    };

    private List<BackingSpec> Specs()
    {
        List<BackingSpec> specs = [];
        for (int i = 0; i < _disks.Length; i++)
            if (i < AlwaysThere || i == _guest) specs.Add(new BackingSpec(null, _disks[i].Name, _devices.Open(i)));
        return specs;
    }

    private void Judge(WriteboostVolume volume)
    {
        StatusFigures figures = new(volume);
        (long answers, long refusals) = (0, 0);
        foreach (StressClient client in _clients)
            (answers, refusals) = (answers + client.Answers, refusals + client.Refusals);
        Summary = $"{answers} answers, {refusals} refused, {Detaches} devices detached, {CalledOff} called off, "
            + $"{figures["segment_tail"]} segments reused, {figures["blocks_written_back"]} blocks written back, "
            + $"{figures["blocks_staged"]} staged, {figures["write_around_bytes"]} bytes round the log, "
            + $"{figures["scrub_segments"]} segments scrubbed, {figures["log_flushes"]} flushes";
        Assert.Equal(VolumeState.Healthy, volume.Health.State);
        Assert.Equal(0, figures["rotten_clean"] + figures["rotten_dirty"] + figures["scrub_errors"]);
        Assert.True(figures["segment_tail"] > figures["segments"], "the log has not been round once: " + Summary);
    }

    private void Control(WriteboostVolume volume, WriteboostOptions options, Contention contention)
    {
        List<Tunable> tunables = WriteboostTunables.Of(options);
        List<VolumeCommand> commands = WriteboostCommands.Of(volume);
        try
        {
            while (!contention.IsOver)
            {
                if (_random.Chance(90)) Tune(tunables, commands, s_settings[_random.Below(s_settings.Length)]);
                else if (_guest < 0) Attach(volume);
                else Detach(volume, contention);
                Thread.Sleep(_random.Below(4));
            }
        }
        finally
        {
            Volatile.Write(ref _controlled, 1);
        }
    }

    private void Tune(List<Tunable> tunables, List<VolumeCommand> commands, string[] setting)
    {
        if (setting[0] == "grow") _devices.GiveRoom();
        if (VolumeCommand.FindOrNull(commands, setting[0]) is { } command)
            _ = (command.Begin?.Invoke(), command.Answer?.Invoke());
        else
            Tunable.Find(tunables, setting[0]).Set(setting[_random.Between(1, setting.Length - 1)], atStart: false);
    }

    private void Attach(WriteboostVolume volume)
    {
        int guest = AlwaysThere + _random.Below(_disks.Length - AlwaysThere);
        IVolumeExport export = volume.Attach(new BackingSpec(null, _disks[guest].Name, _devices.Open(guest)));
        _guest = guest;
        _disks[guest].Serve(export.Device);
    }

    // Called off at once or later, or not at all. Whoever is let go has everything.
    private void Detach(WriteboostVolume volume, Contention contention)
    {
        int patience = _random.Chance(40) ? _random.Below(3) : int.MaxValue;
        try
        {
            volume.Detach(_disks[_guest].Name, () => contention.HasFailed || --patience < 0);
        }
        catch (UserErrorException error)
        {
            Assert.Contains("stays attached: interrupted", error.Message, StringComparison.Ordinal);
            CalledOff++;
            return;
        }
        _disks[_guest].Withdraw();
        string? wrong = _devices.Judge(_guest, _disks[_guest]);
        Assert.True(wrong == null, $"after the detach: {wrong}");
        Detaches++;
        _guest = -1;
    }
}

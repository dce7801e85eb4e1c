using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Errors;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;

namespace Weir.Tests.Simulation;

/// <summary>The <c>writeboost</c> engine, tuned so that the log wraps and write-back never rests.</summary>
public sealed class WriteboostEngine : ISimEngine
{
    private static readonly long[] s_superblockOffsets = [0, Superblock.CopyBOffset];

    public string Name => "writeboost";

    public int UnitBytes => 512;

    public bool WithstandsFaults => true;

    public ReadOnlySpan<long> SuperblockOffsets => s_superblockOffsets;

    public void Configure(SimConfig config, ref Prng random)
    {
    }

    public void Format(SimConfig config, IoContext io, Device cache) =>
        WriteboostFormat.Format(io, cache, Layout.Find(config.Layout), config.SegmentBytes, config.NewGuid);

    public IVolume Open(SimConfig config, IoContext io, Device cache, SimDisks disks, IRamStore ram, bool readOnly) =>
        OpenVolume(config, io, cache, disks, ram, readOnly);

    public ushort NumberOf(IVolume volume, int disk) => ((WriteboostVolume)volume).ExportOf(NameOf(disk)).Device;

    public void Forge(SimConfig config, IoContext io, SimDevice cache, SimDisks disks)
    {
        // No client data ever lies where the other layouts have their headers.
        if (config.Layout != "native") return;
        try
        {
            using WriteboostVolume volume = OpenVolume(config, io, cache, disks, new HeapRamStore(), readOnly: true);
            WriteboostForgery.Plant(volume, cache);
        }
        catch (UserErrorException)
        {
            // Not even the engine can tell where this log ends: the next opening says so.
        }
    }

    private static WriteboostVolume OpenVolume(
        SimConfig config, IoContext io, Device cache, SimDisks disks, IRamStore ram, bool readOnly) =>
        WriteboostVolume.Open(io, cache, Specs(config, disks), ram, new WriteboostOptions
        {
            Layout = Layout.Find(config.Layout),
            RamSegments = config.RamSegments,
            SyncIntervalUs = config.SyncIntervalUs,
            MaxBatchedWriteback = config.MaxBatchedWriteback,
            HighWatermark = config.HighWatermark,
            WritebackThreshold = config.WritebackThreshold,
            LatencyTargetUs = config.LatencyTargetUs,
            KeepIntervalUs = config.KeepIntervalUs,
            IdleUs = config.IdleUs,
            VerifyReads = config.VerifyReads,
            ReadCacheThreshold = config.ReadCacheThreshold,
            WriteAround = config.WriteAround,
            ScrubIntervalUs = config.ScrubIntervalUs,
            BypassSequentialWrites = config.BypassSequentialWrites,
            RangeBudget = config.RangeBudget,
            Rebind = config.Rebind,
            ReadOnly = readOnly,
            NewGuid = config.NewGuid,
        });

    public Func<bool?> Detach(IVolume volume, int disk) => Carry(volume, new DeviceOrder { Name = NameOf(disk) });

    public Func<bool?> Attach(IVolume volume, SimDisks disks, int disk) => Carry(
        volume, new DeviceOrder { Name = NameOf(disk), Spec = new BackingSpec(null, NameOf(disk), disks[disk]) });

    private static Func<bool?> Carry(IVolume volume, DeviceOrder order)
    {
        ((WriteboostVolume)volume).Post(order);
        return () => order.IsDone ? order.Error == null : null;
    }

    public Func<bool?> GiveUp(IVolume volume)
    {
        var writeboost = (WriteboostVolume)volume;
        GiveUpOrder? order = null;
        // Write-back may have moved some of it before the order came to it.
        return () =>
        {
            if (order is { IsDone: false }) return null;
            List<LostVersion> lost = LostBlocks.Select(writeboost, LostBlocks.Everything);
            if (lost.Count == 0) return true;
            order = new GiveUpOrder(lost);
            writeboost.Post(order);
            return null;
        };
    }

    private static string NameOf(int disk) => $"disk{disk}";

    // Layout lc1 has no table: whoever opens it knows the numbers.
    private static List<BackingSpec> Specs(SimConfig config, SimDisks disks)
    {
        List<BackingSpec> specs = [];
        for (int i = 0; i < disks.Count; i++)
            if (!disks.IsAbsent(i)) specs.Add(new(config.Layout == "lc1" ? i + 1 : null, NameOf(i), disks[i]));
        return specs;
    }

    public bool LacksDevice(IVolume volume) =>
        volume is WriteboostVolume { Health.State: VolumeState.ReadOnly } readOnly
        && readOnly.Health.Reason.StartsWith("devices that are not given", StringComparison.Ordinal);

    public void Grow(IVolume volume)
    {
        try
        {
            ((WriteboostVolume)volume).Grow();
        }
        catch (UserErrorException)
        {
            // A volume that is not healthy says so.
        }
    }

    public void Drain(IVolume volume) => ((WriteboostVolume)volume).Drain();

    public bool IsDrained(IVolume volume) => ((WriteboostVolume)volume).IsDrained;
}

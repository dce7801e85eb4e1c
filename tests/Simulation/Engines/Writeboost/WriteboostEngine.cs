using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Errors;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Weir.Core.Writeboost.Volume;

namespace Weir.Tests.Simulation.Engines;

/// <summary>The <c>writeboost</c> engine, tuned so that the log wraps and write-back never rests.</summary>
public sealed partial class WriteboostEngine : IInjectedEngine
{
    private static readonly long[] s_superblockOffsets = [0, Superblock.CopyBOffset];

    public string Name => "writeboost";

    public bool WithstandsErrors => true;

    public bool WithstandsRot => true;

    public bool Heals => true;

    public ReadOnlySpan<long> SuperblockOffsets => s_superblockOffsets;

    public SimMutants Mutants => WriteboostMutants.All;

    public SimConfig NewConfig(ulong seed) => new WriteboostConfig(seed);

    public Promise NewPromise(SimConfig config)
    {
        long sectors = config.BackingBytes / SectorTag.Bytes;
        return ((WriteboostConfig)config).GoesAround ? new StableInPlace(sectors) : new PrefixOrder(sectors);
    }

    public void Format(SimConfig config, IoContext io, SimDevices devices)
    {
        var own = (WriteboostConfig)config;
        WriteboostFormat.Format(io, devices.Cache!, Layout.Find(own.Layout), own.SegmentBytes, own.NewGuid);
    }

    public IVolume Open(SimConfig config, IoContext io, SimDevices devices, IRamStore ram, bool readOnly)
    {
        var own = (WriteboostConfig)config;
        WriteboostVolume volume = OpenVolume(own, io, devices, ram, readOnly);
        own.Rebind = false;
        return volume;
    }

    public bool MayRefuse(SimConfig config, in SimOpening opening, string message)
    {
        if (opening.HasDropped && message.Contains("rebind=1", StringComparison.Ordinal))
        {
            // A sample was taken of what a failed flush had dropped. The user says which device this is.
            ((WriteboostConfig)config).Rebind = true;
            return true;
        }
        // The last life left work; or it has not noted a device, or forgotten it, and the log has something of the
        // absent one.
        return (opening.ReadOnly && opening.Since == CrashKind.Process)
            || (opening.AnyAbsent && message.Contains("is new to this cache", StringComparison.Ordinal));
    }

    public ushort NumberOf(IVolume volume, int disk) => ((WriteboostVolume)volume).ExportOf(NameOf(disk)).Device;

    public void Forge(SimConfig config, IoContext io, SimDevices devices)
    {
        var own = (WriteboostConfig)config;
        // No client data ever lies where the other layouts have their headers.
        if (own.Layout != "native") return;
        try
        {
            using WriteboostVolume volume = OpenVolume(own, io, devices, new HeapRamStore(), readOnly: true);
            WriteboostForgery.Plant(volume, devices.Cache!);
        }
        catch (UserErrorException)
        {
            // Not even the engine can tell where this log ends: the next opening says so.
        }
    }

    private static WriteboostVolume OpenVolume(
        WriteboostConfig config, IoContext io, SimDevices devices, IRamStore ram, bool readOnly) =>
        WriteboostVolume.Open(io, devices.Cache!, Specs(config, devices.Disks), ram, new WriteboostOptions
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
            Fallback = config.Fallback,
        });

    public Func<bool?> Detach(IVolume volume, int disk) => Carry(volume, new DeviceOrder { Name = NameOf(disk) });

    public Func<bool?> Attach(IVolume volume, SimDisks disks, int disk) => Carry(
        volume, new DeviceOrder { Name = NameOf(disk), Spec = new BackingSpec(null, NameOf(disk), disks[disk]) });

    private static Func<bool?> Carry(IVolume volume, DeviceOrder order)
    {
        ((WriteboostVolume)volume).DeviceOrders.Post(order);
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
            List<LostVersion> lost = writeboost.Lost.Select(LostRange.Everything);
            if (lost.Count == 0) return true;
            order = new GiveUpOrder(lost);
            writeboost.GiveUps.Post(order);
            return null;
        };
    }

    private static string NameOf(int disk) => $"disk{disk}";

    // Layout lc1 has no table: whoever opens it knows the numbers.
    private static List<BackingSpec> Specs(WriteboostConfig config, SimDisks disks)
    {
        List<BackingSpec> specs = [];
        for (int i = 0; i < disks.Count; i++)
            if (!disks.IsAbsent(i)) specs.Add(new(config.Layout == "lc1" ? i + 1 : null, NameOf(i), disks[i]));
        return specs;
    }

    public VolumeState StateOf(IVolume volume) => ((WriteboostVolume)volume).Health.State;

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

    public bool HasDirty(IVolume volume) => ((WriteboostVolume)volume).DirtyBlocks > 0;
}

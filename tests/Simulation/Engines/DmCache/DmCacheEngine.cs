using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.DmCache;
using Weir.Core.DmCache.Settings;
using Weir.Core.DmCache.Tools;
using Weir.Core.DmCache.Volume;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Tests.DmCache;

namespace Weir.Tests.Simulation.Engines;

/// <summary>The <c>dmcache</c> engine, tuned so that blocks come and go and write-back never rests.</summary>
public sealed partial class DmCacheEngine : IInjectedEngine
{
    public string Name => "dmcache";

    /// <summary>Who looks at the metadata beside our own check, at the cost of two processes each time.</summary>
    internal Judge? Judge { get; init; }

    /// <summary>How often it has.</summary>
    internal int TimesJudged { get; private set; }

    public bool WithstandsErrors => true;

    public bool KeepsInRam => false;

    public bool Heals => false;

    public bool OrdersOverlaps => false;

    public SimMutants Mutants { get; } = new(
        typeof(DmCacheMutant),
        new HashSet<Enum>
        {
            // Tools, Format and BindingTests.
            DmCacheMutant.B14AnyDeviceTaken,
            DmCacheMutant.B14ForeignMarkTrusted, DmCacheMutant.RepairForgetsDirty,
            // Breaks no promise.
            DmCacheMutant.B6BlocksFlushedTwice,
            // UnmarkTests: seen by one seed of some hundreds to thousands.
            DmCacheMutant.B1MarkTakenBlindly, DmCacheMutant.B1ZeroedUnmarked,
            // MeetingTests, QueueTests, ErrorTests, ModeTests, KernelCacheTests: what they break is rare here, or needs
            // overlapping writes, or another program's metadata.
            DmCacheMutant.B2HomeUnflushed, DmCacheMutant.B7ThroughUnordered, DmCacheMutant.B10DiscardRemembered,
            DmCacheMutant.B5EntryNotAwaited, DmCacheMutant.B13StrangersBelieved,
            // ErrorTests, OneDeviceTests: two failures within moments, or seen by one seed of some hundreds.
            DmCacheMutant.B1MarksLostByFailure, DmCacheMutant.B6RootLossUnseen, DmCacheMutant.B6FirstFlushLeftOut,
            // CommitStepsTests: wants a step of another queue between two looks.
            DmCacheMutant.B3LeavingLookedAtLast,
            // ErrorTests, FirstFlushTests, SuspendTests: seen by one seed of some hundreds to thousands.
            DmCacheMutant.B6LossNotAwaited, DmCacheMutant.B6OldRootOverwritten, DmCacheMutant.B10DiscardsKeptByResume,
            // FirstFlushTests: here a start does not fail by a flush alone.
            DmCacheMutant.B6FoundRootTrusted, DmCacheMutant.B6FirstLossNotNoted,
            // ErrorInjectionTests.
            DmCacheMutant.B6FailureForgotten, DmCacheMutant.B11CleanNotReadAtHome, DmCacheMutant.B11StaleKept,
        },
        new Dictionary<Enum, ulong>
        {
            [DmCacheMutant.B6LossNotNoted] = 171, [DmCacheMutant.B6LossForgotten] = 171,
        });

    public SimConfig NewConfig(ulong seed) => new DmCacheConfig(seed);

    public Promise NewPromise(SimConfig config) => new StableInPlace(config.BackingBytes / SectorTag.Bytes);

    public void Format(SimConfig config, IoContext io, SimDevices devices)
    {
        var own = (DmCacheConfig)config;
        using MetadataDevice metadata = new(io, devices.Metadata ?? devices.Cache!);
        new CacheFormat(metadata, own.Version, own.BlockSize).Run(
            devices.Cache!.SizeBytes, isAtHead: devices.Metadata == null);
    }

    public IVolume Open(SimConfig config, IoContext io, SimDevices devices, IRamStore ram, bool readOnly)
    {
        if (!readOnly && ((DmCacheConfig)config).GrowsUnserved())
        {
            devices.Cache!.TryGrow();
            devices.Disks[0].TryGrow();
        }
        try
        {
            return OpenOrRepair(config, io, devices, readOnly);
        }
        catch (UserErrorException e) when (e.Message.Contains("mode=writethrough", StringComparison.Ordinal))
        {
            // What the user is told to begin with where something is dirty.
            ((DmCacheConfig)config).Mode = CacheMode.Writethrough;
            return OpenOrRepair(config, io, devices, readOnly);
        }
    }

    private static DmCacheVolume OpenOrRepair(SimConfig config, IoContext io, SimDevices devices, bool readOnly)
    {
        DmCacheOptions options = OptionsOf((DmCacheConfig)config, readOnly);
        try
        {
            return DmCacheVolume.Open(io, devices.Cache!, devices.Metadata, devices.Disks[0], options);
        }
        catch (UserErrorException e) when (!readOnly && e.Message.Contains("needs_check", StringComparison.Ordinal))
        {
            Repair(io, devices);
            return DmCacheVolume.Open(io, devices.Cache!, devices.Metadata, devices.Disks[0], options);
        }
    }

    // What the user is told to do after a commit that failed.
    private static void Repair(IoContext io, SimDevices devices)
    {
        using MetadataDevice metadata = new(io, devices.Metadata ?? devices.Cache!);
        if (devices.Metadata == null) MetadataProbe.LimitToRegion(metadata);
        if (!new CacheRepairer(metadata, new CheckItems()) { Write = true }.Run())
            throw new UserErrorException("what a failed commit has left cannot be repaired");
    }

    public bool MayRefuse(SimConfig config, in SimOpening opening, string message) =>
        opening.ReadOnly && message.Contains("needs_check", StringComparison.Ordinal);

    public void Meddle(SimConfig config, IVolume volume)
    {
        var own = (DmCacheConfig)config;
        if (own.Order() is { } mode) ((DmCacheVolume)volume).SetMode(mode);
        if (own.OrderPolicy() is { } policy) ((DmCacheVolume)volume).SetPolicy(policy);
        if (own.OrderInvalidate(((DmCacheVolume)volume).CacheBlocks) is { } range)
            Carry(() => ((DmCacheVolume)volume).BeginInvalidate([range]));
    }

    public Func<bool?> Suspend(IVolume volume) => Carry(((DmCacheVolume)volume).BeginSuspend);

    public Func<bool?> Resume(IVolume volume) => Carry(((DmCacheVolume)volume).BeginResume);

    public void Grow(IVolume volume) => Carry(((DmCacheVolume)volume).BeginGrow);

    // A volume that is suspended, or that takes no changes any more, says so.
    private static Func<bool?> Carry(Func<Func<OrderProgress>> begin)
    {
        try
        {
            Func<OrderProgress> look = begin();
            return () => look() is { IsOver: true } at ? at.Failure == null : null;
        }
        catch (UserErrorException)
        {
            return static () => false;
        }
    }

    public string? InspectAtRest(IVolume volume, SimDevices devices) =>
        MetadataOf.Compare(devices, ((DmCacheVolume)volume).Map.Table);

    public VolumeState StateOf(IVolume volume) => ((DmCacheVolume)volume).Health.State;

    public bool MovesBlocks => true;

    public bool IsCacheExpendable(IVolume volume) => ((DmCacheVolume)volume).Mode.Named != CacheMode.Writeback;

    public void Drain(IVolume volume) => ((IDrainable)volume).Drain();

    public bool IsDrained(IVolume volume) => ((DmCacheVolume)volume).DrainBlocksLeft == 0;

    public bool HasDirty(IVolume volume) => !IsDrained(volume);

    public string? Inspect(SimConfig config, SimDevices devices)
    {
        if (MetadataOf.Check(devices) is { } wrong) return wrong;
        if (Judge == null) return null;
        TimesJudged++;
        return MetadataOf.Ask(Judge, devices);
    }

    private static DmCacheOptions OptionsOf(DmCacheConfig config, bool readOnly) => new()
    {
        Mode = config.Mode,
        Policy = config.Policy,
        BlockBytes = config.BlockSize,
        MetadataVersion = config.Version,
        IdleUs = config.IdleUs,
        HighWatermark = config.HighWatermark,
        DiscardPassdown = config.DiscardPassdown,
        MigrationThreshold = config.MigrationThreshold,
        UnmarkUs = config.UnmarkUs,
        ReadOnly = readOnly,
        Seed = config.Seed,
    };
}

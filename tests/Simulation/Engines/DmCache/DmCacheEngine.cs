using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.DmCache;
using Weir.Core.DmCache.Settings;
using Weir.Core.DmCache.Tools;
using Weir.Core.DmCache.Volume;
using Weir.Core.Io;
using Weir.Core.Volumes;

namespace Weir.Tests.Simulation.Engines;

/// <summary>The <c>dmcache</c> engine, tuned so that blocks come and go and write-back never rests.</summary>
public sealed class DmCacheEngine : IInjectedEngine
{
    public string Name => "dmcache";

    public bool WithstandsErrors => true;

    public bool KeepsInRam => false;

    public bool Heals => false;

    public bool OrdersOverlaps => false;

    public SimMutants Mutants { get; } = new(
        typeof(DmCacheMutant),
        new HashSet<Enum>
        {
            // Tools and Format.
            DmCacheMutant.B14ForeignMarkTrusted, DmCacheMutant.RepairForgetsDirty,
            // Breaks no promise.
            DmCacheMutant.B6FlushesNothingNew,
            // QueueTests, ErrorTests, ModeTests, KernelCacheTests: what they break is rare here, or needs a change of
            // mode, or another program's metadata.
            DmCacheMutant.B5EntryNotAwaited, DmCacheMutant.B6FailureForgotten, DmCacheMutant.B11CleanNotReadAtHome,
            DmCacheMutant.B12NamedTooEarly, DmCacheMutant.B13StrangersBelieved,
            // Not caught yet: overlapping writes, and the others, are rare.
            DmCacheMutant.B2HomeUnflushed, DmCacheMutant.B7ThroughUnordered,
            DmCacheMutant.B10DiscardRemembered,
        },
        new Dictionary<Enum, ulong> { [DmCacheMutant.B1MarkTakenBlindly] = 435 });

    public IReadOnlyList<InjectionSeries> Series { get; } = [];

    public SimConfig NewConfig(ulong seed) => new DmCacheConfig(seed);

    public SimConfig ConfigFor(in Injection injection) => new DmCacheConfig(6);

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
            throw new SimViolationException("what a failed commit has left cannot be repaired");
    }

    public bool MayRefuse(SimConfig config, in SimOpening opening, string message) =>
        opening.ReadOnly && message.Contains("needs_check", StringComparison.Ordinal);

    public VolumeState StateOf(IVolume volume) => ((DmCacheVolume)volume).Health.State;

    public bool MovesBlocks => true;

    public bool IsCacheExpendable(IVolume volume) => ((DmCacheVolume)volume).Mode.Named != CacheMode.Writeback;

    public void Drain(IVolume volume) => ((IDrainable)volume).Drain();

    public bool IsDrained(IVolume volume) => ((DmCacheVolume)volume).DrainBlocksLeft == 0;

    public bool HasDirty(IVolume volume) => !IsDrained(volume);

    public bool MayEnd(in Injection injection, VolumeState state) => true;

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

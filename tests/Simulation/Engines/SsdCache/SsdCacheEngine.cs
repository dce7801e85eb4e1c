using System;
using System.Collections.Generic;
using Weir.Core.Io;
using Weir.Core.Passthrough;
using Weir.Core.SsdCache;
using Weir.Core.SsdCache.Settings;
using Weir.Core.SsdCache.Tools;
using Weir.Core.SsdCache.Volume;
using Weir.Core.Volumes;

namespace Weir.Tests.Simulation.Engines;

/// <summary>The <c>ssdcache</c> engine, tuned so that blocks come and go and write-back never rests.</summary>
public sealed partial class SsdCacheEngine : IInjectedEngine
{
    public string Name => "ssdcache";

    public bool WithstandsErrors => true;

    public bool Heals => false;

    public SimMutants Mutants { get; } = new(
        typeof(SsdCacheMutant),
        new HashSet<Enum>
        {
            // BindingTests.
            SsdCacheMutant.B14AnyDeviceTaken,
            // ErrorInjectionTests.
            SsdCacheMutant.B11CleanNotReadAtHome,
        },
        new Dictionary<Enum, ulong>
        {
            [SsdCacheMutant.B1ClosedInUse] = 5456, [SsdCacheMutant.B1ThroughNotInvalid] = 340,
            [SsdCacheMutant.B3NamedWayTaken] = 130, [SsdCacheMutant.B5EntryNotAwaited] = 48,
            [SsdCacheMutant.B6LossNotNoted] = 1130, [SsdCacheMutant.B6StopUnflushed] = 84,
            [SsdCacheMutant.B13MemoryUnwritten] = 2416,
        });

    public SimConfig NewConfig(ulong seed) => new SsdCacheConfig(seed);

    public Promise NewPromise(SimConfig config) => new StableInPlace(config.BackingBytes / SectorTag.Bytes);

    public void Format(SimConfig config, IoContext io, SimDevices devices)
    {
        var own = (SsdCacheConfig)config;
        new SsdFormat(io, devices.Cache!, own.BlockBytes) { NewGuid = own.NewGuid }.Run();
    }

    public IVolume Open(SimConfig config, IoContext io, SimDevices devices, IRamStore ram, bool readOnly) =>
        SsdCacheVolume.Open(io, devices.Cache!, devices.Disks[0], ram, OptionsOf((SsdCacheConfig)config, readOnly));

    public void Meddle(SimConfig config, IVolume volume)
    {
        if (((SsdCacheConfig)config).Order() is { } mode) ((SsdCacheVolume)volume).SetMode(mode);
    }

    public bool MayRefuse(SimConfig config, in SimOpening opening, string message) =>
        opening.ReadOnly && message.Contains("without --read-only", StringComparison.Ordinal);

    public VolumeState StateOf(IVolume volume) => ((SsdCacheVolume)volume).Health.State;

    public bool MovesBlocks => true;

    public bool IsCacheExpendable(IVolume volume) => ((SsdCacheVolume)volume).Mode.Named != CacheMode.Writeback;

    public void Drain(IVolume volume) => ((IDrainable)volume).Drain();

    public bool IsDrained(IVolume volume) => ((SsdCacheVolume)volume).DrainBlocksLeft == 0;

    public bool HasDirty(IVolume volume) => !IsDrained(volume);

    private static SsdCacheOptions OptionsOf(SsdCacheConfig config, bool readOnly) => new()
    {
        Mode = config.Mode,
        BlockBytes = config.BlockBytes,
        Assoc = config.Assoc,
        IdleUs = config.IdleUs,
        HighWatermark = config.HighWatermark,
        CloseUs = config.CloseUs,
        Strategy = config.Strategy,
        Admit = config.Admit,
        AsyncLookup = config.AsyncLookup,
        QueueBusy = config.QueueBusy,
        SkipWriteInsert = config.SkipWriteInsert,
        EvictOnWrite = config.EvictOnWrite,
        ReadOnly = readOnly,
        Fallback = static device => new PassthroughVolume(device),
    };
}

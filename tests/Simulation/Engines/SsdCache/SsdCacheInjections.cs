using System.Collections.Generic;
using Weir.Core.SsdCache;
using Weir.Core.Volumes;

namespace Weir.Tests.Simulation.Engines;

/// <content>Every device operation fails once, in every way (B6, B11).</content>
public sealed partial class SsdCacheEngine
{
    private const string Writeback = "writeback", Writethrough = "writethrough", Readcache = "readcache";

    /// <summary>All modes: all operations in all of them, with the errors and ends that differ most.</summary>
    public IReadOnlyList<InjectionSeries> Series { get; } =
    [
        new(Writeback)
        {
            Injections = Injection.NearlyEverything, LeastOnCache = 50, LeastOnBacking = 20,
        },
        new(Writethrough)
        {
            Injections = Injection.WhatTellsApart, LeastOnCache = 50, LeastOnBacking = 50,
            Mutants = [SsdCacheMutant.B11CleanNotReadAtHome],
        },
        new(Readcache) { Injections = Injection.WhatTellsApart, LeastOnCache = 20, LeastOnBacking = 50 },
    ];

    /// <summary>Each has hundreds of operations.</summary>
    public int WorkloadRounds => 1;

    public SimConfig ConfigFor(in Injection injection) => new SsdCacheConfig(6)
    {
        BlockBytes = 4096,
        Assoc = 1,
        Mode = injection.Form switch
        {
            Writethrough => CacheMode.Writethrough,
            Readcache => CacheMode.Readcache,
            _ => CacheMode.Writeback,
        },
        IdleUs = 20_000,
        HighWatermark = 50,
        CloseUs = 100_000,
        EvictOnWrite = true,
        QueueBusy = true,
        CacheBytes = (64 << 10) + (2 * 16 * 4096),
    };

    /// <summary>The backing device has all that a client needs in modes that write it first.</summary>
    public bool MustServe(in Injection injection, bool isFlush, bool hasLostFlush) =>
        injection.Form != Writeback && injection.Role == SimRole.Cache;

    public bool MayEnd(in Injection injection, VolumeState state) =>
        state is VolumeState.Healthy or VolumeState.ReadOnly
        || (state == VolumeState.PassThrough && injection.Form != Writeback && injection.Role == SimRole.Cache)
        || (state == VolumeState.Retrying && (injection.Early || !injection.Passes));
}

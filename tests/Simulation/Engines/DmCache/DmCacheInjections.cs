using System.Collections.Generic;
using Weir.Core.DmCache;
using Weir.Core.DmCache.Settings;
using Weir.Core.Volumes;

namespace Weir.Tests.Simulation.Engines;

/// <content>Every device operation fails once, in every way (B6, B11).</content>
public sealed partial class DmCacheEngine
{
    private const string Writeback = "writeback", Writethrough = "writethrough", AtHead = "metadata at the head";

    /// <summary>
    /// Both modes that cache, and write-back with the metadata on the device that has the blocks: all operations in
    /// all of them, with the errors and ends that differ most.
    /// </summary>
    public IReadOnlyList<InjectionSeries> Series { get; } =
    [
        new(Writeback)
        {
            Injections = Injection.NearlyEverything, LeastOnCache = 50, LeastOnBacking = 50,
            Mutants = [DmCacheMutant.B6FailureForgotten],
        },
        new(Writethrough)
        {
            Injections = Injection.WhatTellsApart, LeastOnCache = 50, LeastOnBacking = 50,
            Mutants = [DmCacheMutant.B11StaleKept, DmCacheMutant.B11CleanNotReadAtHome],
        },
        new(AtHead) { Injections = Injection.WhatTellsApart, LeastOnCache = 100, LeastOnBacking = 50 },
    ];

    /// <summary>Each has hundreds of operations: metadata are written for every block that comes or goes.</summary>
    public int WorkloadRounds => 1;

    public SimConfig ConfigFor(in Injection injection)
    {
        const long block = 32 << 10;
        bool isAtHead = injection.Form == AtHead;
        return new DmCacheConfig(6)
        {
            Version = 2,
            BlockSize = block,
            IsCachevol = isAtHead,
            Mode = injection.Form == Writethrough ? CacheMode.Writethrough : CacheMode.Writeback,
            Policy = "lru",
            IdleUs = 20_000,
            HighWatermark = 50,
            DiscardPassdown = true,
            MigrationThreshold = DmCacheOptions.DefaultMigrationThreshold,
            CacheBytes = (6 * block) + (isAtHead ? 5 << 20 : 0),
            MetadataBytes = isAtHead ? 0 : 1 << 20,
        };
    }

    /// <summary>The backing device has all that a client of write-through needs, but for what a flush tells.</summary>
    public bool MustServe(in Injection injection, bool isFlush, bool hasLostFlush) =>
        injection.Form == Writethrough && injection.Role == SimRole.Cache && !hasLostFlush;

    public bool MayEnd(in Injection injection, VolumeState state) =>
        state is VolumeState.Healthy or VolumeState.ReadOnly
        || (state == VolumeState.Retrying && (injection.Early || !injection.Passes));
}

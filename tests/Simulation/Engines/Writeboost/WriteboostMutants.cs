using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Writeboost;

namespace Weir.Tests.Simulation.Engines;

/// <summary>The mutants of <c>writeboost</c>, and where those are caught that the simulation does not see.</summary>
internal static class WriteboostMutants
{
    private static readonly HashSet<Enum> s_elsewhere =
    [
        // MemoryLossTests: nothing takes memory away in the simulation.
        WriteboostMutant.R1LossUnnoticed,
        // R11 has no seeds: ErrorInjectionTests catches its mutants.
        WriteboostMutant.R11NoNote, WriteboostMutant.R11DirtyForgotten, WriteboostMutant.R8RefusedForgotten,
        WriteboostMutant.R6AroundFailureForgotten, WriteboostMutant.R10RefusedForgotten,
        // One window of a few instructions: ReadStepsTests tries all of them.
        WriteboostMutant.R10RangesSampledLate,
        // IndexBucketsTests and Stress.PinTests: the few blocks of the simulation seldom crowd a bucket.
        WriteboostMutant.R10LatchAndOverflowIgnored,
        // WarmStartTests: nobody else writes to the devices of the simulation.
        WriteboostMutant.R10ChangeUnnoticed, WriteboostMutant.R10UnnotedIsWarm,
        // WarmStartTests: a reader that comes to its end in the very turn of the stop is rare.
        WriteboostMutant.R10ForgottenIsWarm,
        // Nbd.BlockStatusTests: here the disks are a region or two, and asked about before a life's first change.
        WriteboostMutant.R9RegionUnmarked,
        // StartWritesTests: what only a start does right after the one crash that matters.
        WriteboostMutant.R6UnprovenTrusted, WriteboostMutant.R12WholeCopyFirst,
        // GrowthTests: a segment that is opened between two copies of the superblock is rare.
        WriteboostMutant.R12GrownUnplanned,
        // BackingFlushTests and SuperblockFlushTests: the one failing flush that matters is rare.
        WriteboostMutant.R6OthersFailureIgnored, WriteboostMutant.R8OthersFailureIgnored,
        WriteboostMutant.R8MarkInDoubt,
        // UnreadableTests: no simulated device has bad places.
        WriteboostMutant.R11UnreadLost,
        // KernelLostTests: nothing rots in the layouts of the kernel here.
        WriteboostMutant.R11LostPassed, WriteboostMutant.R2GivenUpOverNewer,
        // DrainProgressTests: a drain keeps little here, and what is newer is mostly durable by then.
        WriteboostMutant.R8KeptUndurable,
        // KernelHeaderTests: no superblock rots here.
        WriteboostMutant.R8MarkNotAsked,
        // HangTests: no simulated device hangs.
        WriteboostMutant.R8CalledOffPasses,
        // OrderErrorTests: no simulated table write is refused as often as it is tried.
        WriteboostMutant.R13StaysUnwritten,
        // AttachTests: what a detach leaves of a device is nothing, but for an older weir's caches.
        WriteboostMutant.R13NumberInherits,
        // KernelIdentityTests: the simulation's disks do not change places.
        WriteboostMutant.R13LogNotAsked,
        // Stress.ReaderEpochTests, on real threads: one of them is about what real processors reorder.
        WriteboostMutant.R8GateUnannounced, WriteboostMutant.R8GateUnfenced, WriteboostMutant.R8GateNotAwaited,
    ];

    // R4EpochNotRaised, R6WriteErrorIgnored, R6FlushErrorIgnored, R6NotAlone and R12NoFlush are in RareFaultTests too,
    // R10WarmAfterCrash in WarmStartTests: there they need no luck.
    private static readonly Dictionary<Enum, ulong> s_rare = new()
    {
        [WriteboostMutant.R1PublishedFirst] = 149,
        [WriteboostMutant.R4ChainIgnored] = 48,
        [WriteboostMutant.R4EpochNotRaised] = 1526,
        [WriteboostMutant.R4FutureKept] = 310,
        [WriteboostMutant.R5RotIsTorn] = 113,
        [WriteboostMutant.R5RottenServed] = 45,
        [WriteboostMutant.R5HeaderFirst] = 257,
        [WriteboostMutant.R5TornReplayed] = 90,
        [WriteboostMutant.R6AroundNotFlushed] = 128,
        [WriteboostMutant.R6WriteErrorIgnored] = 763,
        [WriteboostMutant.R6FlushErrorIgnored] = 855,
        [WriteboostMutant.R6NotRewritten] = 94,
        [WriteboostMutant.R6NotAlone] = 201,
        [WriteboostMutant.R6SealNotRechecked] = 100,
        [WriteboostMutant.R8ReadersIgnored] = 206,
        [WriteboostMutant.R8KeptOverRange] = 413,
        [WriteboostMutant.R10CleanAfterCrash] = 189,
        [SharedMutant.R10StaleStaged] = 389,
        [WriteboostMutant.R10WarmAfterCrash] = 219,
        [WriteboostMutant.R11PoisonNotMoved] = 98,
        [WriteboostMutant.R11GivenUpNotLogged] = 98,
        [WriteboostMutant.R12NoFlush] = 296,
    };

    /// <summary>All of them.</summary>
    public static SimMutants All { get; } = new(typeof(WriteboostMutant), s_elsewhere, s_rare)
    {
        Shared = [SharedMutant.R6WakeLost, SharedMutant.R10StaleStaged, SharedMutant.R10CleanBeatsDirty],
    };
}

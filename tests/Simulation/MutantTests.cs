using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Writeboost;
using Xunit;

namespace Weir.Tests.Simulation;

/// <summary>
/// One switch per rule breaks the engine; the simulation must see every one of them. WEIR_MUTANT names one of them.
/// </summary>
public sealed class MutantTests(ITestOutputHelper output)
{
    private const int Seeds = 200;
    // A seed that fails by getting stuck takes seconds.
    private const int Enough = 10;
    private const int SeedsAtMost = 20_000;

    // Where the rarest were caught when this was written: looked at before the long search, which goes on without them.
    private static readonly Dictionary<WriteboostMutant, ulong> s_rare = new()
    {
        [WriteboostMutant.R4EpochNotRaised] = 1435,
        [WriteboostMutant.R4FutureKept] = 310,
        [WriteboostMutant.R5HeaderFirst] = 661,
        [WriteboostMutant.R6WriteErrorIgnored] = 763,
        [WriteboostMutant.R6FlushErrorIgnored] = 1050,
        [WriteboostMutant.R8KeptOverRange] = 419,
        [WriteboostMutant.R10WarmAfterCrash] = 219,
    };

    public static TheoryData<Enum> Mutants()
    {
        var data = new TheoryData<Enum>();
        string? only = Environment.GetEnvironmentVariable("WEIR_MUTANT");
        foreach (WriteboostMutant mutant in Enum.GetValues<WriteboostMutant>())
        {
            // MemoryLossTests: nothing takes memory away in the simulation.
            bool injected = mutant == WriteboostMutant.R1LossUnnoticed;
            // R11 has no seeds: ErrorInjectionTests catches its mutants.
            injected |= mutant is WriteboostMutant.R11NoNote or WriteboostMutant.R11DirtyForgotten
                or WriteboostMutant.R8RefusedForgotten
                or WriteboostMutant.R12DoubtfulCopyLast;
            injected |= mutant is WriteboostMutant.R6AroundFailureForgotten or WriteboostMutant.R10RefusedForgotten;
            // One window of a few instructions: ReadStepsTests tries all of them.
            injected |= mutant == WriteboostMutant.R10RangesSampledLate;
            // WarmStartTests: nobody else writes to the devices of the simulation.
            injected |= mutant is WriteboostMutant.R10ChangeUnnoticed or WriteboostMutant.R10UnnotedIsWarm;
            // WarmStartTests: a reader that comes to its end in the very turn of the stop is rare.
            injected |= mutant == WriteboostMutant.R10ForgottenIsWarm;
            // Nbd.BlockStatusTests: here the disks are a region or two, and asked about before a life's first change.
            injected |= mutant == WriteboostMutant.R9RegionUnmarked;
            // StartWritesTests: what only a start does right after the one crash that matters.
            injected |= mutant is WriteboostMutant.R6UnprovenTrusted or WriteboostMutant.R12WholeCopyFirst;
            // GrowthTests: a segment that is opened between two copies of the superblock is rare.
            injected |= mutant == WriteboostMutant.R12GrownUnplanned;
            // BackingFlushTests and SuperblockFlushTests: the one failing flush that matters is rare.
            injected |= mutant is WriteboostMutant.R6OthersFailureIgnored or WriteboostMutant.R8OthersFailureIgnored;
            injected |= mutant is WriteboostMutant.R6SuperblockNotRewritten or WriteboostMutant.R8MarkInDoubt;
            // UnreadableTests: no simulated device has bad places.
            injected |= mutant == WriteboostMutant.R11UnreadLost;
            // KernelLostTests: nothing rots in the layouts of the kernel here.
            injected |= mutant is WriteboostMutant.R11LostPassed or WriteboostMutant.R2GivenUpOverNewer;
            // DrainProgressTests: a drain keeps little here, and what is newer is mostly durable by then.
            injected |= mutant == WriteboostMutant.R8KeptUndurable;
            // KernelHeaderTests: no superblock rots here.
            injected |= mutant == WriteboostMutant.R8MarkNotAsked;
            // HangTests: no simulated device hangs.
            injected |= mutant == WriteboostMutant.R8CalledOffPasses;
            // OrderErrorTests: no simulated table write is refused as often as it is tried.
            injected |= mutant == WriteboostMutant.R13StaysUnwritten;
            // AttachTests: what a detach leaves of a device is nothing, but for an older weir's caches.
            injected |= mutant == WriteboostMutant.R13NumberInherits;
            // KernelIdentityTests: the simulation's disks do not change places.
            injected |= mutant == WriteboostMutant.R13LogNotAsked;
            // Stress.ReaderGateTests, on real threads: one of them is about what real processors reorder.
            injected |= mutant is WriteboostMutant.R8GateUnannounced or WriteboostMutant.R8GateUnfenced
                or WriteboostMutant.R8GateNotAwaited;
            bool wanted = only is null or "" || $"{mutant}" == only;
            if (mutant != WriteboostMutant.None && wanted && !injected) data.Add(mutant);
        }
        foreach (SharedMutant mutant in Enum.GetValues<SharedMutant>())
            if (mutant != SharedMutant.None && (only is null or "" || $"{mutant}" == only)) data.Add(mutant);
        return data;
    }

    [Theory]
    [MemberData(nameof(Mutants))]
    public void EveryMutantIsCaught(Enum mutant)
    {
        var engine = new WriteboostEngine();
        SimRunner.Summary summary = SimRunner.Run(engine, 1, Seeds, Enough, mutant);
        int before = 0;
        if (summary.Failures.Count == 0 && mutant is WriteboostMutant own
            && s_rare.TryGetValue(own, out ulong known))
        {
            before = summary.Ran;
            summary = SimRunner.Run(engine, known, 1, 1, mutant);
        }
        if (summary.Failures.Count == 0)
        {
            before += summary.Ran;
            summary = SimRunner.Run(engine, Seeds + 1, SeedsAtMost, 1, mutant);
        }
        string line = $"mutant {mutant}: caught in {summary.Failures.Count} of {before + summary.Ran} seeds";
        foreach (KeyValuePair<ulong, string> failure in summary.Failures)
        {
            line += $", first by {failure.Key}";
            output.WriteLine($"seed {failure.Key}: {failure.Value}");
            break;
        }
        output.WriteLine(line);
        Console.Out.WriteLine(line);
        Assert.True(summary.Failures.Count > 0, $"{mutant} survived {before + summary.Ran} seeds");
    }
}

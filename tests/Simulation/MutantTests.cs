using System;
using System.Collections.Generic;
using Weir.Core.Base;
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
    private static readonly Dictionary<MutantId, ulong> s_rare = new()
    {
        [MutantId.R4EpochNotRaised] = 1435,
        [MutantId.R4FutureKept] = 310,
        [MutantId.R5HeaderFirst] = 661,
        [MutantId.R6WriteErrorIgnored] = 763,
        [MutantId.R6FlushErrorIgnored] = 1050,
        [MutantId.R8KeptOverRange] = 419,
        [MutantId.R10WarmAfterCrash] = 219,
    };

    public static TheoryData<MutantId> Mutants()
    {
        var data = new TheoryData<MutantId>();
        string? only = Environment.GetEnvironmentVariable("WEIR_MUTANT");
        foreach (MutantId mutant in Enum.GetValues<MutantId>())
        {
            // MemoryLossTests: nothing takes memory away in the simulation.
            bool injected = mutant == MutantId.R1LossUnnoticed;
            // R11 has no seeds: ErrorInjectionTests catches its mutants.
            injected |= mutant is MutantId.R11NoNote or MutantId.R11DirtyForgotten or MutantId.R8RefusedForgotten
                or MutantId.R12DoubtfulCopyLast;
            injected |= mutant is MutantId.R6AroundFailureForgotten or MutantId.R10RefusedForgotten;
            // One window of a few instructions: ReadStepsTests tries all of them.
            injected |= mutant == MutantId.R10RangesSampledLate;
            // WarmStartTests: nobody else writes to the devices of the simulation.
            injected |= mutant is MutantId.R10ChangeUnnoticed or MutantId.R10UnnotedIsWarm;
            // WarmStartTests: a reader that comes to its end in the very turn of the stop is rare.
            injected |= mutant == MutantId.R10ForgottenIsWarm;
            // Nbd.BlockStatusTests: here the disks are a region or two, and asked about before a life's first change.
            injected |= mutant == MutantId.R9RegionUnmarked;
            // Nbd.ByteTests: the simulation's clients know sectors.
            injected |= mutant == MutantId.NbdEdgesUnguarded;
            // StartWritesTests: what only a start does right after the one crash that matters.
            injected |= mutant is MutantId.R6UnprovenTrusted or MutantId.R12WholeCopyFirst;
            // GrowthTests: a segment that is opened between two copies of the superblock is rare.
            injected |= mutant == MutantId.R12GrownUnplanned;
            // BackingFlushTests and SuperblockFlushTests: the one failing flush that matters is rare.
            injected |= mutant is MutantId.R6OthersFailureIgnored or MutantId.R8OthersFailureIgnored;
            injected |= mutant is MutantId.R6SuperblockNotRewritten or MutantId.R8MarkInDoubt;
            // UnreadableTests: no simulated device has bad places.
            injected |= mutant == MutantId.R11UnreadLost;
            // KernelLostTests: nothing rots in the layouts of the kernel here.
            injected |= mutant is MutantId.R11LostPassed or MutantId.R2GivenUpOverNewer;
            // DrainProgressTests: a drain keeps little here, and what is newer is mostly durable by then.
            injected |= mutant == MutantId.R8KeptUndurable;
            // KernelHeaderTests: no superblock rots here.
            injected |= mutant == MutantId.R8MarkNotAsked;
            // HangTests: no simulated device hangs.
            injected |= mutant == MutantId.R8CalledOffPasses;
            // OrderErrorTests: no simulated table write is refused as often as it is tried.
            injected |= mutant == MutantId.R13StaysUnwritten;
            // AttachTests: what a detach leaves of a device is nothing, but for an older weir's caches.
            injected |= mutant == MutantId.R13NumberInherits;
            // KernelIdentityTests: the simulation's disks do not change places.
            injected |= mutant == MutantId.R13LogNotAsked;
            // Stress.ReaderGateTests, on real threads: one of them is about what real processors reorder.
            injected |= mutant is MutantId.R8GateUnannounced or MutantId.R8GateUnfenced or MutantId.R8GateNotAwaited;
            bool wanted = only is null or "" || $"{mutant}" == only;
            if (mutant != MutantId.None && wanted && !injected) data.Add(mutant);
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Mutants))]
    public void EveryMutantIsCaught(MutantId mutant)
    {
        var engine = new WriteboostEngine();
        SimRunner.Summary summary = SimRunner.Run(engine, 1, Seeds, Enough, mutant);
        int before = 0;
        if (summary.Failures.Count == 0 && s_rare.TryGetValue(mutant, out ulong known))
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

using System;
using System.Collections.Generic;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Volumes;
using Weir.Core.Writeboost;
using Xunit;

namespace Weir.Tests.Simulation;

/// <summary>
/// Every device operation of a fixed workload fails once, in every way, on each device, with both ends of the process
/// (R6, R11). Not sampled: a change of the engine changes the number of runs, never what they cover.
/// </summary>
public sealed class ErrorInjectionTests(ITestOutputHelper output)
{
    // A retry is an operation too; what fails is tried three times, for each request.
    private const int OperationsPerHealthyOne = 4;

    private static readonly Injection s_none = new(true, int.MaxValue, InjectedError.Once, CrashKind.Process, false);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void NoErrorOfAnyOperationBreaksThePromise(bool writesDurably)
    {
        using InjectionRun healthy = new(s_none with { WritesDurably = writesDurably });
        healthy.Run();
        List<Injection> all = AllOf(healthy, writesDurably);
        Assert.True(healthy.CacheOperations > 100, "the workload does too little on the cache device");
        Assert.True(healthy.BackingOperations > 50, "the workload does too little on the backing device");
        List<string> failures = RunAll(all, null, healthy, int.MaxValue);
        Say($"error injection: {all.Count} runs, {healthy.CacheOperations} operations of the cache device, "
            + $"{healthy.BackingOperations} of the backing device");
        Assert.True(failures.Count == 0, $"{failures.Count} fail\n{string.Join('\n', Head(failures))}");
    }

    /// <summary>
    /// The layouts of the kernel's programs: errors that pass, on either device, and a backing device that stays
    /// broken.
    /// </summary>
    [Theory]
    [InlineData("writeboost2")]
    [InlineData("writeboost1")]
    [InlineData("lc1")]
    public void NoErrorBreaksThePromiseOfOtherLayouts(string layout)
    {
        using InjectionRun healthy = new(s_none with { Layout = layout });
        healthy.Run();
        List<Injection> all = [];
        AddAll(all, healthy, InjectedError.Window, CrashKind.Process, early: false);
        AddAll(all, healthy, InjectedError.Window, CrashKind.Power, early: true);
        for (int i = 0; i < healthy.BackingOperations; i++)
            all.Add(new Injection(false, i, InjectedError.Always, CrashKind.Power, Early: false));
        List<string> failures = RunAll(
            all.ConvertAll(injection => injection with { Layout = layout }), null, healthy, int.MaxValue);
        Say($"error injection, {layout}: {all.Count} runs");
        Assert.True(failures.Count == 0, $"{failures.Count} fail\n{string.Join('\n', Head(failures))}");
    }

    /// <summary>
    /// Writes of more than eight blocks go round the log: what the backing device refuses of them is logged, and what
    /// its flush may have lost was never promised.
    /// </summary>
    [Fact]
    public void NoErrorBreaksThePromiseOfWritesRoundTheLog()
    {
        using InjectionRun healthy = new(s_none with { Around = true });
        healthy.Run();
        List<Injection> all = AllAround(healthy);
        List<string> failures = RunAll(all, null, healthy, int.MaxValue);
        Say($"error injection, round the log: {all.Count} runs");
        Assert.True(failures.Count == 0, $"{failures.Count} fail\n{string.Join('\n', Head(failures))}");
    }

    [Theory]
    [InlineData(WriteboostMutant.R6AroundFailureForgotten)]
    [InlineData(WriteboostMutant.R10RefusedForgotten)]
    public void AMutantIsCaughtRoundTheLog(WriteboostMutant mutant)
    {
        using InjectionRun healthy = new(s_none with { Around = true });
        healthy.Run();
        List<string> failures = RunAll(AllAround(healthy), mutant, healthy, 1);
        Assert.NotEmpty(failures);
        Say($"mutant {mutant}: caught by {failures[0]}");
    }

    private static List<Injection> AllAround(InjectionRun healthy)
    {
        List<Injection> all = [];
        foreach (InjectedError error in Enum.GetValues<InjectedError>())
        {
            for (int i = 0; i < healthy.BackingOperations; i++)
            {
                all.Add(new Injection(false, i, error, CrashKind.Power, Early: false, Around: true));
                if (error != InjectedError.Window)
                    all.Add(new Injection(false, i, error, CrashKind.Power, Early: true, Around: true));
            }
        }
        return all;
    }

    [Theory]
    [InlineData(WriteboostMutant.R8RefusedForgotten)]
    [InlineData(WriteboostMutant.R12DoubtfulCopyLast)]
    [InlineData(WriteboostMutant.R6WriteErrorIgnored)]
    [InlineData(WriteboostMutant.R6FlushErrorIgnored)]
    [InlineData(WriteboostMutant.R6NotRewritten)]
    [InlineData(WriteboostMutant.R11NoNote)]
    [InlineData(WriteboostMutant.R11DirtyForgotten)]
    public void AMutantIsCaught(WriteboostMutant mutant)
    {
        using InjectionRun healthy = new(s_none);
        healthy.Run();
        List<string> failures = RunAll(AllOf(healthy, writesDurably: false), mutant, healthy, 1);
        Assert.NotEmpty(failures);
        Say($"mutant {mutant}: caught by {failures[0]}");
    }

    private static List<Injection> AllOf(InjectionRun healthy, bool writesDurably)
    {
        List<Injection> all = [];
        foreach (InjectedError error in Enum.GetValues<InjectedError>())
        {
            if (error != InjectedError.Window) AddAll(all, healthy, error, CrashKind.Process, early: false);
            AddAll(all, healthy, error, CrashKind.Power, early: false);
            if (error != InjectedError.Window) AddAll(all, healthy, error, CrashKind.Power, early: true);
        }
        return all.ConvertAll(injection => injection with { WritesDurably = writesDurably });
    }

    private static void AddAll(
        List<Injection> all, InjectionRun healthy, InjectedError error, CrashKind end, bool early)
    {
        for (int i = 0; i < healthy.CacheOperations; i++) all.Add(new Injection(true, i, error, end, early));
        for (int i = 0; i < healthy.BackingOperations; i++) all.Add(new Injection(false, i, error, end, early));
    }

    private static List<string> RunAll(List<Injection> all, Enum? mutant, InjectionRun healthy, int enough)
    {
        List<string> failures = [];
        int next = -1;
        Thread[] threads = new Thread[Environment.ProcessorCount];
        for (int t = 0; t < threads.Length; t++)
        {
            threads[t] = new Thread(() =>
            {
                Mutant.Active = mutant;
                int index;
                while ((index = Interlocked.Increment(ref next)) < all.Count && Count(failures) < enough)
                {
                    string? failure = RunOne(all[index], healthy);
                    if (failure == null) continue;
                    lock (failures) failures.Add($"{all[index]}: {failure}");
                }
                SimMemory.FreeAll();
            });
            threads[t].Start();
        }
        foreach (Thread thread in threads) thread.Join();
        return failures;
    }

    private static int Count(List<string> failures)
    {
        lock (failures) return failures.Count;
    }

    private static string? RunOne(Injection injection, InjectionRun healthy)
    {
        using InjectionRun run = new(injection);
        try
        {
            run.Run();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return e is SimViolationException ? e.Message : e.ToString();
        }
        int bound = OperationsPerHealthyOne * (healthy.CacheOperations + healthy.BackingOperations);
        if (run.CacheOperations + run.BackingOperations > bound) return "tries without end";
        return IsAllowed(injection, run.State) ? null : $"the volume ends {run.State}";
    }

    // The table of docs/durability.md.
    private static bool IsAllowed(Injection injection, VolumeState state) => injection.Error switch
    {
        _ when injection.Passes && !injection.Early => state == VolumeState.Healthy,
        _ when injection.Around && state == VolumeState.Degraded => true,
        _ when injection.Passes => state is VolumeState.Healthy or VolumeState.Retrying,
        _ when injection.OnCache => state != VolumeState.ReadOnly,
        _ => state is VolumeState.Healthy or VolumeState.Retrying,
    };

    private static List<string> Head(List<string> failures) => failures.GetRange(0, Math.Min(10, failures.Count));

    private void Say(string line)
    {
        output.WriteLine(line);
        Console.Out.WriteLine(line);
    }
}

using System;
using System.Collections.Generic;
using System.Threading;
using Weir.Core.Base;
using Xunit;

namespace Weir.Tests.Simulation;

/// <summary>
/// Every device operation of a fixed workload fails once, in every way, on each device, with both ends of the process,
/// on every engine and in every form of it. Not sampled: a change of an engine changes the number of runs, never what
/// they cover.
/// </summary>
public sealed class ErrorInjectionTests(ITestOutputHelper output)
{
    // A retry is an operation too; what fails is tried three times, for each request.
    private const int OperationsPerHealthyOne = 4;

    public static TheoryData<string, int> AllSeries()
    {
        TheoryData<string, int> data = [];
        foreach (IInjectedEngine engine in SimEngines.Chosen)
            for (int i = 0; i < engine.Series.Count; i++) data.Add(engine.Name, i);
        return data;
    }

    [Theory]
    [MemberData(nameof(AllSeries))]
    public void NoErrorOfAnyOperationBreaksThePromise(string name, int number)
    {
        IInjectedEngine engine = SimEngines.Find(name);
        InjectionSeries series = engine.Series[number];
        using InjectionRun healthy = Healthy(engine, series);
        Assert.True(healthy.Operations(SimRole.Cache) >= series.LeastOnCache, "too little on the cache device");
        Assert.True(healthy.Operations(SimRole.Backing) >= series.LeastOnBacking, "too little on the backing device");
        List<Injection> all = [];
        series.Injections(series, healthy, all);
        List<string> failures = RunAll(engine, all, null, healthy, int.MaxValue);
        Say($"error injection, {name}, {series}: {all.Count} runs, {healthy.Operations(SimRole.Cache)} operations of "
            + $"the cache device, {healthy.Operations(SimRole.Backing)} of the backing device");
        Assert.True(failures.Count == 0, $"{failures.Count} fail\n{string.Join('\n', Head(failures))}");
    }

    public static TheoryData<string, int, string> AllMutants()
    {
        TheoryData<string, int, string> data = [];
        foreach (IInjectedEngine engine in SimEngines.Chosen)
            for (int i = 0; i < engine.Series.Count; i++)
                foreach (Enum mutant in engine.Series[i].Mutants) data.Add(engine.Name, i, $"{mutant}");
        return data;
    }

    [Theory]
    [MemberData(nameof(AllMutants))]
    public void AMutantIsCaught(string name, int number, string mutant)
    {
        IInjectedEngine engine = SimEngines.Find(name);
        InjectionSeries series = engine.Series[number];
        using InjectionRun healthy = Healthy(engine, series);
        List<Injection> all = [];
        series.Injections(series, healthy, all);
        Enum broken = SimMutants.Named(series.Mutants, mutant);
        List<string> failures = RunAll(engine, all, broken, healthy, 1);
        Assert.NotEmpty(failures);
        Say($"mutant {mutant}: caught by {failures[0]}");
    }

    private static InjectionRun Healthy(IInjectedEngine engine, InjectionSeries series)
    {
        InjectionRun healthy = new(engine, Injection.NoneOf(series));
        healthy.Run();
        return healthy;
    }

    private static List<string> RunAll(
        IInjectedEngine engine, List<Injection> all, Enum? mutant, InjectionRun healthy, int enough)
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
                    string? failure = RunOne(engine, all[index], healthy);
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

    private static string? RunOne(IInjectedEngine engine, Injection injection, InjectionRun healthy)
    {
        using InjectionRun run = new(engine, injection);
        try
        {
            run.Run();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return e is SimViolationException ? e.Message : e.ToString();
        }
        if (run.OperationCount > OperationsPerHealthyOne * healthy.OperationCount) return "tries without end";
        return engine.MayEnd(injection, run.State) ? null : $"the volume ends {run.State}";
    }

    private static List<string> Head(List<string> failures) => failures.GetRange(0, Math.Min(10, failures.Count));

    private void Say(string line)
    {
        output.WriteLine(line);
        Console.Out.WriteLine(line);
    }
}

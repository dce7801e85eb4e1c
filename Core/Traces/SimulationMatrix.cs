using System;
using System.Collections.Generic;
using System.Runtime.ExceptionServices;
using System.Threading;

namespace Weir.Core.Traces;

/// <summary>Simulates a cache of <paramref name="places"/> blocks under the policy called so.</summary>
public delegate SimulationCounts PolicySimulation(
    string policy, CompactTrace trace, uint places, SimulationProgress progress);

/// <summary>Policies and sizes, each with each, and the optimum of each size.</summary>
public sealed class SimulationMatrix
{
    private const int LookMs = 50;

    private readonly SimulationCounts[] _counts;
    private readonly SimulationCounts[] _optima;

    private SimulationMatrix(IReadOnlyList<string> policies, IReadOnlyList<uint> places)
    {
        Policies = policies;
        Places = places;
        _counts = new SimulationCounts[policies.Count * places.Count];
        _optima = new SimulationCounts[places.Count];
    }

    /// <summary>Names, in the order asked for.</summary>
    public IReadOnlyList<string> Policies { get; }

    /// <summary>Sizes in blocks, in the order asked for.</summary>
    public IReadOnlyList<uint> Places { get; }

    /// <summary>What a policy did at a size, both by number.</summary>
    public ref readonly SimulationCounts Of(int policy, int size) => ref _counts[(policy * Places.Count) + size];

    /// <summary>What no policy can do better at a size, by number.</summary>
    public ref readonly SimulationCounts OptimumOf(int size) => ref _optima[size];

    /// <summary>Runs all of them, on <paramref name="threads"/> threads.</summary>
    /// <param name="trace">What is simulated.</param>
    /// <param name="policies">Names.</param>
    /// <param name="places">Sizes in blocks.</param>
    /// <param name="simulate">Runs one; any thread.</param>
    /// <param name="threads">How many at a time.</param>
    /// <param name="report">Is told now and then how many accesses are done, of how many.</param>
    public static SimulationMatrix Run(
        CompactTrace trace, IReadOnlyList<string> policies, IReadOnlyList<uint> places, PolicySimulation simulate,
        int threads, Action<long, long> report)
    {
        SimulationMatrix matrix = new(policies, places);
        Belady optimum = new(trace);
        List<Action<SimulationProgress>> jobs = [];
        for (int i = 0; i < matrix._counts.Length; i++)
        {
            (int at, string policy, uint size) = (i, policies[i / places.Count], places[i % places.Count]);
            jobs.Add(progress => matrix._counts[at] = simulate(policy, trace, size, progress));
        }
        for (int i = 0; i < places.Count; i++)
        {
            int at = i;
            jobs.Add(progress => matrix._optima[at] = optimum.Run(places[at], progress));
        }
        RunAll(jobs, Math.Min(threads, jobs.Count), done => report(done, trace.Accesses * jobs.Count));
        return matrix;
    }

    private static void RunAll(List<Action<SimulationProgress>> jobs, int threads, Action<long> report)
    {
        SimulationProgress progress = new();
        ExceptionDispatchInfo? failure = null;
        int next = -1;
        void Work()
        {
            try
            {
                int job;
                while ((job = Interlocked.Increment(ref next)) < jobs.Count) jobs[job](progress);
            }
            catch (Exception e)
            {
                Interlocked.CompareExchange(ref failure, ExceptionDispatchInfo.Capture(e), null);
                progress.Stop();
            }
        }
        Thread[] workers = new Thread[threads];
        for (int i = 0; i < threads; i++)
        {
            workers[i] = new Thread(Work) { IsBackground = true, Name = $"simulation {i}" };
            workers[i].Start();
        }
        foreach (Thread worker in workers)
            while (!worker.Join(LookMs)) report(progress.Done);
        report(progress.Done);
        failure?.Throw();
    }
}

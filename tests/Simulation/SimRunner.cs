using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Threading;
using Weir.Core.Base;

namespace Weir.Tests.Simulation;

/// <summary>Runs many seeds on all cores, and one seed with its trace.</summary>
public static class SimRunner
{
    /// <summary>The seeds that failed, and how many ran.</summary>
    public sealed class Summary
    {
        public int Ran;
        public long Steps;
        public int Crashes;
        public TimeSpan Elapsed;
        public TimeSpan Slowest;
        public ulong SlowestSeed;
        public SortedDictionary<ulong, string> Failures { get; } = [];

        public override string ToString() => string.Create(
            CultureInfo.InvariantCulture,
            $"{Ran} seeds in {Elapsed.TotalSeconds:f1} s ({Ran / Elapsed.TotalSeconds:f0} seeds/s), {Crashes} crashes, "
            + $"{Steps} steps, slowest {Slowest.TotalMilliseconds:f0} ms "
            + $"(seed {SlowestSeed})");
    }

    /// <summary>
    /// Runs seeds <paramref name="first"/> to first + count - 1; ends early once <paramref name="enough"/> failed.
    /// </summary>
    public static Summary Run(ISimEngine engine, ulong first, int count, int enough, Enum? mutant = null)
    {
        var summary = new Summary();
        var watch = Stopwatch.StartNew();
        var workers = new Worker[Environment.ProcessorCount];
        int next = -1;
        for (int i = 0; i < workers.Length; i++)
        {
            var worker = new Worker();
            workers[i] = worker;
            worker.Start(() =>
            {
                Mutant.Active = mutant;
                int index;
                while ((index = Interlocked.Increment(ref next)) < count && !Full(summary, enough))
                {
                    worker.Begin(first + (ulong)index);
                    Add(summary, SimRun.Run(engine, first + (ulong)index));
                }
                Mutant.Active = null;
                SimMemory.FreeAll();
            });
        }
        var progress = new Progress(engine, watch, count);
        foreach (Worker worker in workers) Await(worker, summary, progress);
        summary.Elapsed = watch.Elapsed;
        return summary;
    }

    private static readonly TimeSpan s_progressInterval = TimeSpan.FromSeconds(30);

    /// <summary>
    /// A seed takes milliseconds. One that uses the processor this long spins for ever; on a busy machine that takes
    /// longer by the clock.
    /// </summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(40);

    /// <summary>One that takes this long by the clock waits for ever.</summary>
    private static readonly TimeSpan s_waits = TimeSpan.FromMinutes(20);

    private static void Await(Worker worker, Summary summary, Progress progress)
    {
        while (!worker.HasEnded(TimeSpan.FromMilliseconds(20)))
        {
            progress.Say(summary);
            if (!worker.IsStuck(out ulong seed)) continue;
            Add(summary, new SimResult(seed, "the engine never returns", 0, 0, 0, s_patience));
            return;
        }
    }

    /// <summary>Now and then a line, for runs that take hours: how far, how fast, what failed.</summary>
    private sealed class Progress(ISimEngine engine, Stopwatch watch, int count)
    {
        private TimeSpan _next = s_progressInterval;
        private int _said;

        public void Say(Summary summary)
        {
            if (watch.Elapsed < _next) return;
            _next += s_progressInterval;
            lock (summary)
            {
                double rate = summary.Ran / watch.Elapsed.TotalSeconds;
                Console.Out.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"simulation: {summary.Ran} of {count} seeds, {rate:f0} seeds/s, {summary.Failures.Count} failed"));
                if (summary.Failures.Count == _said) return;
                _said = summary.Failures.Count;
                foreach (ulong seed in summary.Failures.Keys) Console.Out.WriteLine("  " + ReplayCommand(engine, seed));
            }
        }
    }

    /// <summary>A thread that runs seeds; left behind when one never ends.</summary>
    private sealed class Worker
    {
        private Thread? _thread;
        private string _folder = "";
        private ulong _seed;
        private ulong _looked;
        private TimeSpan _usedBefore;
        private long _since;

        public void Start(ThreadStart run)
        {
            _since = Environment.TickCount64;
            _thread = new Thread(() =>
            {
                string self = File.ResolveLinkTarget("/proc/thread-self", returnFinalTarget: false)!.FullName;
                Volatile.Write(ref _folder, self);
                run();
            })
            { IsBackground = true };
            _thread.Start();
        }

        public void Begin(ulong seed)
        {
            Volatile.Write(ref _since, Environment.TickCount64);
            Volatile.Write(ref _seed, seed);
        }

        public bool HasEnded(TimeSpan wait) => _thread!.Join(wait);

        /// <summary>By the processor time that its thread has used since it was first seen at this seed.</summary>
        public bool IsStuck(out ulong seed)
        {
            seed = Volatile.Read(ref _seed);
            long passedMs = Environment.TickCount64 - Volatile.Read(ref _since);
            if (passedMs < s_patience.TotalMilliseconds / 2) return false;
            TimeSpan used = Used();
            if (seed != _looked) (_looked, _usedBefore) = (seed, used);
            return used - _usedBefore > s_patience || passedMs > s_waits.TotalMilliseconds;
        }

        // The first number of schedstat: nanoseconds on a processor.
        private TimeSpan Used()
        {
            string folder = Volatile.Read(ref _folder);
            if (folder.Length == 0) return TimeSpan.Zero;
            string text = File.ReadAllText(folder + "/schedstat");
            return TimeSpan.FromMicroseconds(long.Parse(text.Split(' ')[0], CultureInfo.InvariantCulture) / 1000);
        }
    }

    /// <summary>The failures, each with the command that replays it, and the end of the first one's trace.</summary>
    public static string Explain(ISimEngine engine, Summary summary)
    {
        var text = new System.Text.StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{summary.Failures.Count} of {summary.Ran} seeds failed\n");
        int shown = 0;
        foreach ((ulong seed, string failure) in summary.Failures)
        {
            if (++shown > 10) break;
            text.Append(CultureInfo.InvariantCulture, $"seed {seed}: {failure}\n");
            text.Append(CultureInfo.InvariantCulture, $"  replay: {ReplayCommand(engine, seed)}\n");
        }
        foreach (ulong seed in summary.Failures.Keys)
        {
            text.Append(TraceOf(engine, seed, 60));
            break;
        }
        return text.ToString();
    }

    /// <summary>Runs one seed again and returns the last lines of its trace.</summary>
    public static string TraceOf(ISimEngine engine, ulong seed, int lines)
    {
        using var run = new SimRun(engine, seed, trace: true);
        SimResult result = run.Run();
        var text = new System.Text.StringBuilder();
        int skip = Math.Max(0, run.Trace.Count - lines);
        text.Append(CultureInfo.InvariantCulture, $"trace of seed {seed}, {result.Steps} steps, {skip} lines before\n");
        for (int i = skip; i < run.Trace.Count; i++) text.Append(run.Trace[i]).Append('\n');
        return text.Append(result.Failure == null ? "passed\n" : "failed\n").ToString();
    }

    private static string ReplayCommand(ISimEngine engine, ulong seed) =>
        $"WEIR_ENGINE={engine.Name} WEIR_SEED={seed} ./build.sh test --filter Weir.Tests.Simulation.SimulationTests";

    private static bool Full(Summary summary, int enough)
    {
        lock (summary) return summary.Failures.Count >= enough;
    }

    private static void Add(Summary summary, in SimResult result)
    {
        lock (summary)
        {
            summary.Ran++;
            if (result.Failure != null) summary.Failures.Add(result.Seed, result.Failure);
            summary.Steps += result.Steps;
            summary.Crashes += result.Crashes;
            if (result.Elapsed <= summary.Slowest) return;
            (summary.Slowest, summary.SlowestSeed) = (result.Elapsed, result.Seed);
        }
    }
}

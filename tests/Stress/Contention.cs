using System;
using System.Collections.Generic;
using System.Globalization;
using System.Threading;
using Weir.Core.Base;

namespace Weir.Tests.Stress;

/// <summary>
/// Real threads that meet in one structure until time is up or one of them finds something wrong. Time only says how
/// much is tried, never what is right. WEIR_STRESS_SECONDS is the time that all stress tests take together, about; 10
/// unless it is given.
/// </summary>
internal sealed class Contention
{
    private const double DefaultSeconds = 10;
    private const int HangMs = 120_000;

    private readonly object _end = new();
    private Exception? _failure;
    private int _over;
    private int _running;

    /// <summary>One structure's share.</summary>
    public static int PartMs { get; } = (int)(Seconds * 40);

    /// <summary>A whole engine's share.</summary>
    public static int EngineMs { get; } = (int)(Seconds * 250);

    /// <summary>Until when a mutant must have been caught: in vain it costs more, but then the test fails.</summary>
    public static int MutantMs { get; } = Math.Max(60_000, (int)(Seconds * 1000));

    private static double Seconds =>
        Environment.GetEnvironmentVariable("WEIR_STRESS_SECONDS") is { Length: > 0 } text
            ? double.Parse(text, CultureInfo.InvariantCulture)
            : DefaultSeconds;

    /// <summary>Threads end their loops.</summary>
    public bool IsOver => Volatile.Read(ref _over) != 0;

    /// <summary>Runs all of <paramref name="work"/> at once, each on a thread; what one of them threw, or null.</summary>
    public static Exception? Run(int ms, MutantId mutant, params IReadOnlyList<Action<Contention>> work)
    {
        Contention contention = new() { _running = work.Count };
        using Barrier start = new(work.Count);
        Thread[] threads = new Thread[work.Count];
        for (int i = 0; i < threads.Length; i++)
        {
            Action<Contention> own = work[i];
            threads[i] = new Thread(() => contention.Do(own, start, mutant)) { IsBackground = true };
            threads[i].Start();
        }
        contention.AwaitEnd(ms);
        foreach (Thread thread in threads)
            if (!thread.Join(HangMs)) return contention._failure ?? new TimeoutException("a thread hangs");
        return contention._failure;
    }

    /// <summary>No more.</summary>
    public void End()
    {
        Volatile.Write(ref _over, 1);
        lock (_end) Monitor.PulseAll(_end);
    }

    /// <summary>Spins until <paramref name="condition"/> holds; false when that does not come.</summary>
    public static bool Await(Func<bool> condition)
    {
        SpinWait spin = default;
        for (long end = Environment.TickCount64 + (HangMs / 4); !condition(); spin.SpinOnce())
            if (Environment.TickCount64 > end) return false;
        return true;
    }

    private void AwaitEnd(int ms)
    {
        lock (_end)
            for (long end = Environment.TickCount64 + ms; !IsOver && Environment.TickCount64 < end;)
                Monitor.Wait(_end, (int)Math.Clamp(end - Environment.TickCount64, 1, ms));
        End();
    }

    private void Do(Action<Contention> work, Barrier start, MutantId mutant)
    {
        Mutant.Active = mutant;
        start.SignalAndWait();
        try
        {
            work(this);
        }
        catch (Exception failure)
        {
            Interlocked.CompareExchange(ref _failure, failure, null);
            End();
        }
        if (Interlocked.Decrement(ref _running) == 0) End();
    }
}

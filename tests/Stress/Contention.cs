using System;
using System.Collections.Generic;
using System.Globalization;
using System.Threading;
using Weir.Core.Base;
using Xunit;

namespace Weir.Tests.Stress;

/// <summary>
/// Real threads that meet in one structure until time is up or one of them finds something wrong. Time only says how
/// much is tried, never what is right. WEIR_STRESS_SECONDS is the time that all stress tests of one engine take
/// together, about; the plan's unless it is given.
/// </summary>
internal sealed class Contention
{
    private const int HangMs = 120_000;

    private const int TurnMs = 20;

    // Threads that wait for one that has failed are left behind.
    private const int FailedMs = 1000;

    private readonly object _end = new();
    private Exception? _failure;
    private int _over;
    private int _running;
    private int _arrived;
    private int _round;
    private int _stopped;

    /// <summary>One structure's share.</summary>
    public static int PartMs { get; } = (int)(Seconds * 40);

    /// <summary>A whole engine's share.</summary>
    public static int EngineMs { get; } = (int)(Seconds * 250);

    /// <summary>Until when a mutant must have been caught: in vain it costs more, but then the test fails.</summary>
    public static int MutantMs { get; } = Math.Max(120_000, (int)(Seconds * 1000));

    private static double Seconds =>
        Environment.GetEnvironmentVariable("WEIR_STRESS_SECONDS") is { Length: > 0 } text
            ? double.Parse(text, CultureInfo.InvariantCulture)
            : TestPlan.AmountOf("stress");

    /// <summary>Threads end their loops.</summary>
    public bool IsOver => Volatile.Read(ref _over) != 0;

    /// <summary>One of them has found something.</summary>
    public bool HasFailed => Volatile.Read(ref _failure) != null;

    /// <summary>
    /// Runs all of <paramref name="work"/> at once, each on a thread, for <paramref name="ms"/>, and on a busy machine
    /// longer, until <paramref name="enough"/> has happened; what one of them threw, or null.
    /// </summary>
    public static Exception? Run(
        int ms, Enum? mutant, Func<bool> enough, params IReadOnlyList<Action<Contention>> work)
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
        bool happened = contention.AwaitEnd(ms, enough);
        foreach (Thread thread in threads)
            if (!thread.Join(contention.HasFailed ? FailedMs : HangMs))
                return contention._failure ?? new TimeoutException("a thread hangs");
        return contention._failure ?? (happened ? null : new TimeoutException("what is tested has hardly happened"));
    }

    /// <summary>A run with a mutant: somebody has seen it. That nothing happened, or a hang, is no sight.</summary>
    public static void AssertCaught(Exception? failure)
    {
        Assert.NotNull(failure);
        Assert.IsNotType<TimeoutException>(failure);
    }

    /// <summary>No more.</summary>
    public void End()
    {
        Volatile.Write(ref _over, 1);
        lock (_end) Monitor.PulseAll(_end);
    }

    /// <summary>
    /// Waits until <paramref name="threads"/> have come here, so that what they do next they do at the same time; the
    /// same for all of them: false when it is over.
    /// </summary>
    public bool Meet(int threads)
    {
        int round = Volatile.Read(ref _round);
        if (Interlocked.Increment(ref _arrived) % threads == 0)
        {
            if (IsOver) Volatile.Write(ref _stopped, 1);
            Volatile.Write(ref _round, round + 1);
        }
        SpinWait spin = default;
        while (Volatile.Read(ref _round) == round)
        {
            if (HasFailed) return false;
            spin.SpinOnce(sleep1Threshold: -1);
        }
        return Volatile.Read(ref _stopped) == 0;
    }

    /// <summary>Spins until <paramref name="condition"/> holds; false when that does not come.</summary>
    public static bool Await(Func<bool> condition)
    {
        SpinWait spin = default;
        for (long end = Environment.TickCount64 + (HangMs / 4); !condition(); spin.SpinOnce())
            if (Environment.TickCount64 > end) return false;
        return true;
    }

    private bool AwaitEnd(int ms, Func<bool> enough)
    {
        long start = Environment.TickCount64;
        lock (_end)
            for (long passed = 0; !IsOver && (passed < ms || (!enough() && passed < ms + HangMs));)
            {
                Monitor.Wait(_end, (int)Math.Max(TurnMs, ms - passed));
                passed = Environment.TickCount64 - start;
            }
        End();
        return enough();
    }

    private void Do(Action<Contention> work, Barrier start, Enum? mutant)
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

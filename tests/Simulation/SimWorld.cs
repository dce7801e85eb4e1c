using System;
using System.Collections.Generic;
using System.Globalization;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Tests.Simulation;

/// <summary>The process or the machine ends here. Thrown out of a device, a pump or a crash point.</summary>
public sealed class SimCrashException : Exception
{
    public SimCrashException() : base("simulated crash")
    {
    }
}

/// <summary>The oracle's verdict: something that DURABILITY promises did not hold.</summary>
public sealed class SimViolationException(string message) : Exception(message);

/// <summary>What happens in a simulation; part of the event hash.</summary>
public enum SimEvent : byte
{
    Submit, Complete, Early, Point, ClientSubmit, ClientComplete, Crash, Open, Format, Verify, Stop, Fault, Note,
}

/// <summary>In which order pending operations complete. Every order is mixed with chance.</summary>
public enum CompletionOrder
{
    Random, Fifo, Lifo, FlushFirst, FlushLast, CacheFirst, BackingFirst,
}

/// <summary>
/// What all parts of one simulation share: the clock, the event counter with the planned crash, the randomness of
/// devices, and the hash that proves a replay exact. One thread; nothing outside decides anything.
/// </summary>
public sealed class SimWorld
{
    /// <summary>Randomness of devices and crashes; the workload has its own.</summary>
    public Prng Random;

    public SimWorld(ulong seed, bool trace)
    {
        Random = new Prng(seed ^ 0x5EED_0F_DE71CE5);
        Trace = trace ? new List<string>() : null;
    }

    /// <summary>Simulated microseconds.</summary>
    public long NowUs { get; private set; } = 1_000_000;

    /// <summary>Events so far. Only those at which a crash makes sense count.</summary>
    public long Step { get; private set; }

    /// <summary>The step that crashes; long.MaxValue for none.</summary>
    public long CrashAtStep { get; set; } = long.MaxValue;

    /// <summary>Submissions and completions of writes until the crash; 0 for none planned so.</summary>
    public int CrashAtWrite { get; set; }

    /// <summary>The process is dead: whoever still submits something is a ghost.</summary>
    public bool Crashed { get; set; }

    /// <summary>
    /// Runs at the moment of the crash, before anything of the dead process unwinds: settles what is in flight while
    /// its memory still is what it was.
    /// </summary>
    public Action? AtCrash { get; set; }

    /// <summary>Errors injected so far.</summary>
    public int Faults { get; set; }

    /// <summary>Hash over every event.</summary>
    public ulong Hash { get; private set; } = 0xCBF29CE484222325;

    /// <summary>Readable events, only when asked for.</summary>
    public List<string>? Trace { get; }

    /// <summary>How the devices complete at present.</summary>
    public CompletionOrder Order { get; set; }

    /// <summary>Percentage of pumps in which no device gets anything done.</summary>
    public int SlowPercent { get; private set; }

    /// <summary>Operations pending in all contexts.</summary>
    public int PendingCount { get; set; }

    /// <summary>Moves the clock.</summary>
    public void Advance(long us) => NowUs += us;

    /// <summary>Records an event at which nothing can crash.</summary>
    public void Note(SimEvent what, long a = 0, long b = 0, long c = 0, string? text = null)
    {
        Mix((ulong)what);
        Mix((ulong)a);
        Mix((ulong)b);
        Mix((ulong)c);
        Trace?.Add(string.Create(CultureInfo.InvariantCulture, $"{Step,6} {NowUs,10} us  {what} {text} {a} {b} {c}"));
    }

    /// <summary>Records an event and crashes if its turn has come.</summary>
    public void Tick(SimEvent what, long a = 0, long b = 0, long c = 0, string? text = null)
    {
        if (Crashed) throw new SimCrashException();
        Step++;
        Note(what, a, b, c, text);
        bool write = what is SimEvent.Submit or SimEvent.Complete && a == (long)IoKind.Write;
        bool due = Step >= CrashAtStep || (write && CrashAtWrite > 0 && --CrashAtWrite == 0);
        if (!due) return;
        Kill();
        throw new SimCrashException();
    }

    /// <summary>A crash point of the engine: one in sixteen counts, lest they outnumber device operations.</summary>
    public void MaybeTickPoint()
    {
        if (Random.Below(16) == 0) Tick(SimEvent.Point);
    }

    /// <summary>The process ends here.</summary>
    public void Kill()
    {
        if (Crashed) return;
        Crashed = true;
        AtCrash?.Invoke();
    }

    /// <summary>Everything random about a new process: crash far away, another completion order.</summary>
    public void Restart(long crashAfterSteps)
    {
        Crashed = false;
        PendingCount = 0;
        CrashAtWrite = 0;
        PlanCrash(crashAfterSteps);
        Order = (CompletionOrder)Random.Below(Enum.GetValues<CompletionOrder>().Length);
        SlowPercent = Random.Below(3) * 35;
        Advance(Random.Below(1_000_000));
    }

    /// <summary>The crash comes after so many steps from now; long.MaxValue: none does.</summary>
    public void PlanCrash(long afterSteps) =>
        CrashAtStep = afterSteps == long.MaxValue ? long.MaxValue : Step + afterSteps;

    private void Mix(ulong value)
    {
        ulong h = (Hash ^ value) * 0x9E3779B97F4A7C15;
        Hash = h ^ (h >> 29);
    }
}

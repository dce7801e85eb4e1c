using System;
using System.Collections.Generic;

namespace Weir.Tests.Simulation;

/// <summary>What a device is for.</summary>
public enum SimRole
{
    Cache, Metadata, Backing,
}

/// <summary>How a device fails from its operation number N on.</summary>
public enum InjectedError
{
    /// <summary>That one fails with EIO.</summary>
    Once,
    /// <summary>That one and all later ones fail with EIO.</summary>
    Always,
    /// <summary>That one and all later ones but reads and flushes fail with EIO: what a worn out SSD does.</summary>
    WritesAlways,
    /// <summary>That one and all later ones fail with ENODEV.</summary>
    Gone,
    /// <summary>The next flush from there on fails, and drops half of what it should have covered.</summary>
    FlushOnce,
    /// <summary>That one and the ones after it, <see cref="Injection.WindowOperations"/> in all, fail with
    /// ENOSPC.</summary>
    Window,
}

/// <summary>
/// Where a run is hurt, and how its process ends: after the workload, or, early, with the first flush that succeeds
/// after the error. The fast devices have writes that are durable by themselves, or have not. <c>Form</c> is the
/// engine's word for how it is set up: a layout, a mode.
/// </summary>
public readonly record struct Injection(
    SimRole Role, int Index, InjectedError Error, CrashKind End, bool Early, string Form, bool WritesDurably = false)
{
    /// <summary>So many operations fail before an error passes: more than are tried without a pause.</summary>
    public const int WindowOperations = 6;

    /// <summary>What the device refuses at first, it takes later.</summary>
    public bool Passes => Error is InjectedError.Once or InjectedError.FlushOnce or InjectedError.Window;

    /// <summary>Not the backing device.</summary>
    public bool OnCache => Role != SimRole.Backing;

    /// <summary>None.</summary>
    public static Injection NoneOf(InjectionSeries series) => new(
        SimRole.Backing, int.MaxValue, InjectedError.Once, CrashKind.Process, false, series.Form, series.WritesDurably);

    /// <summary>Every error of every operation of every device, with both ends of the process.</summary>
    public static void Everything(InjectionSeries series, InjectionRun healthy, List<Injection> all)
    {
        foreach (InjectedError error in Enum.GetValues<InjectedError>())
        {
            bool isWindow = error == InjectedError.Window;
            if (!isWindow) Everywhere(series, healthy, error, CrashKind.Process, early: false, all);
            Everywhere(series, healthy, error, CrashKind.Power, early: false, all);
            if (!isWindow) Everywhere(series, healthy, error, CrashKind.Power, early: true, all);
        }
    }

    /// <summary>Every error of every operation of the backing device, before a power cut.</summary>
    public static void EverythingOnBacking(InjectionSeries series, InjectionRun healthy, List<Injection> all)
    {
        foreach (InjectedError error in Enum.GetValues<InjectedError>())
        {
            OnDisk(series, healthy, error, CrashKind.Power, early: false, all);
            if (error != InjectedError.Window) OnDisk(series, healthy, error, CrashKind.Power, early: true, all);
        }
    }

    /// <summary>One error at every operation of every device.</summary>
    public static void Everywhere(
        InjectionSeries series, InjectionRun healthy, InjectedError error, CrashKind end, bool early,
        List<Injection> all)
    {
        foreach (SimRole role in Enum.GetValues<SimRole>()) At(role, series, healthy, error, end, early, all);
    }

    /// <summary>One error at every operation of the backing device.</summary>
    public static void OnDisk(
        InjectionSeries series, InjectionRun healthy, InjectedError error, CrashKind end, bool early,
        List<Injection> all) => At(SimRole.Backing, series, healthy, error, end, early, all);

    /// <summary>For an engine in place, in its main form: most errors and ends.</summary>
    public static void NearlyEverything(InjectionSeries series, InjectionRun healthy, List<Injection> all)
    {
        WhatTellsApart(series, healthy, all);
        Everywhere(series, healthy, InjectedError.Once, CrashKind.Power, early: true, all);
        Everywhere(series, healthy, InjectedError.Always, CrashKind.Process, early: false, all);
        Everywhere(series, healthy, InjectedError.FlushOnce, CrashKind.Power, early: true, all);
        Everywhere(series, healthy, InjectedError.Gone, CrashKind.Power, early: false, all);
        Everywhere(series, healthy, InjectedError.Window, CrashKind.Power, early: false, all);
    }

    /// <summary>For its other forms: the errors and ends that differ most.</summary>
    public static void WhatTellsApart(InjectionSeries series, InjectionRun healthy, List<Injection> all)
    {
        Everywhere(series, healthy, InjectedError.Once, CrashKind.Process, early: false, all);
        Everywhere(series, healthy, InjectedError.Always, CrashKind.Power, early: false, all);
        Everywhere(series, healthy, InjectedError.WritesAlways, CrashKind.Power, early: true, all);
        Everywhere(series, healthy, InjectedError.FlushOnce, CrashKind.Power, early: false, all);
    }

    private static void At(
        SimRole role, InjectionSeries series, InjectionRun healthy, InjectedError error, CrashKind end, bool early,
        List<Injection> all)
    {
        for (int i = 0; i < healthy.Operations(role); i++)
            all.Add(new Injection(role, i, error, end, early, series.Form, series.WritesDurably));
    }
}

/// <summary>Adds what a series goes through; <paramref name="healthy"/> has counted the operations.</summary>
public delegate void AddInjections(InjectionSeries series, InjectionRun healthy, List<Injection> all);

/// <summary>Many runs of one workload on one form of an engine, each hurt at another place.</summary>
/// <param name="Form">The engine's word for how it is set up.</param>
public sealed record InjectionSeries(string Form)
{
    /// <summary>Where and how.</summary>
    public required AddInjections Injections { get; init; }

    /// <summary>The fast devices have writes that are durable by themselves.</summary>
    public bool WritesDurably { get; init; }

    /// <summary>The workload asks at least so much of the cache device.</summary>
    public int LeastOnCache { get; init; }

    /// <summary>The workload asks at least so much of the backing device.</summary>
    public int LeastOnBacking { get; init; }

    /// <summary>What this series must catch.</summary>
    public IReadOnlyList<Enum> Mutants { get; init; } = [];

    /// <inheritdoc/>
    public override string ToString() => WritesDurably ? Form + ", durable writes" : Form;
}

using System;
using System.Collections.Generic;
using System.IO;
using System.Runtime.InteropServices;

namespace Weir.Bench.Measuring;

/// <summary>
/// What must go when the bench is interrupted: programs that run, control groups, files. The last that came goes first.
/// Any thread.
/// </summary>
internal static class LeftOvers
{
    private const int ExitCode = 130;
    private static readonly List<IDisposable> s_all = [];
    private static readonly List<PosixSignalRegistration> s_signals = [];

    /// <summary>From now on SIGINT, SIGTERM and SIGHUP clean up, and end the process with exit code 130.</summary>
    public static void Watch()
    {
        foreach (PosixSignal signal in (PosixSignal[])[PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP])
            s_signals.Add(PosixSignalRegistration.Create(signal, static context =>
            {
                context.Cancel = true;
                Clean();
                Environment.Exit(ExitCode);
            }));
    }

    /// <summary>It would be left over from here on.</summary>
    public static void Add(IDisposable one)
    {
        lock (s_all) s_all.Add(one);
    }

    /// <summary>It is gone.</summary>
    public static void Remove(IDisposable one)
    {
        lock (s_all) s_all.Remove(one);
    }

    // The other threads see their programs and files go, and have nothing to say about it.
    private static void Clean()
    {
        Console.Error.WriteLine("bench: interrupted");
        Console.SetOut(TextWriter.Null);
        Console.SetError(TextWriter.Null);
        IDisposable[] all;
        lock (s_all) all = [.. s_all];
        Array.Reverse(all);
        foreach (IDisposable one in all)
        {
            try
            {
                one.Dispose();
            }
            catch (Exception e) when (e is InvalidOperationException or IOException or UnauthorizedAccessException)
            {
                // It is gone already, or cannot be helped: the others shall go all the same.
            }
        }
    }
}

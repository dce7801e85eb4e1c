using System;
using System.Runtime.InteropServices;
using System.Threading;

namespace Weir.Tests.Simulation;

/// <summary>
/// One thread waits here until another lets it through, once. It sleeps at once: the one that it waits for needs the
/// processor, and the library's semaphore would spin first. Source: futex(2).
/// </summary>
internal sealed unsafe partial class Gate : IDisposable
{
    private const nint FutexCall = 202, WaitPrivate = 128, WakePrivate = 129;

    // 1: open. Written by both, in one step each.
    private readonly int* _open = (int*)NativeMemory.AllocZeroed(sizeof(int));

    /// <summary>Lets through whoever waits, or will.</summary>
    public void Open()
    {
        Volatile.Write(ref *_open, 1);
        syscall(FutexCall, (nint)_open, WakePrivate, 1, 0, 0, 0);
    }

    /// <summary>Until it is open. It is closed again behind the caller.</summary>
    public void Wait()
    {
        while (Interlocked.Exchange(ref *_open, 0) == 0) syscall(FutexCall, (nint)_open, WaitPrivate, 0, 0, 0, 0);
    }

    /// <summary>When nobody waits any more.</summary>
    public void Dispose() => NativeMemory.Free(_open);

    [LibraryImport("libc")]
    private static partial nint syscall(nint number, nint address, nint operation, nint value, nint a, nint b, nint c);
}

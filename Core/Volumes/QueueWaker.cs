using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Core.Volumes;

/// <summary>One queue's way to be woken by other threads.</summary>
/// <remarks>
/// Protocol. <c>_woken</c> is set by whoever has changed something, after the change, and taken by the queue's thread,
/// with a full fence, before it looks at what may have changed: either the look sees the change, or the flag is set
/// again after it was taken. Who sets it first wakes the thread, unless he is that thread. <c>_hasLeft</c> is written
/// by the queue's thread, under the latch, as the last thing before its context goes: who wakes holds the latch and
/// looks first, so nobody is in the middle of waking a context that is not there any more.
/// </remarks>
internal sealed class QueueWaker(IoContext io)
{
    private readonly int _threadId = Environment.CurrentManagedThreadId;
    private SpinLatch _latch;
    private int _woken;
    private volatile bool _hasLeft;

    /// <summary>Something has happened that <see cref="Take"/> has not taken note of: the thread must not sleep.
    /// </summary>
    public bool IsWoken => Volatile.Read(ref _woken) != 0;

    /// <summary>The queue has ended, and looks at nothing any more; any thread.</summary>
    public bool HasLeft => _hasLeft;

    /// <summary>From any thread: something this queue may wait for has happened.</summary>
    public void Wake()
    {
        bool isFirst = Interlocked.Exchange(ref _woken, 1) == 0;
        if (!isFirst || Environment.CurrentManagedThreadId == _threadId) return;
        _latch.Enter();
        if (!_hasLeft && !Mutant.Is(SharedMutant.R6WakeLost)) io.Wake();
        _latch.Exit();
    }

    /// <summary>On the queue's thread, before it looks at what may have happened.</summary>
    public void Take()
    {
        Interlocked.Exchange(ref _woken, 0);
        Interleaving.Step();
    }

    /// <summary>On the queue's thread: its context may go when this returns.</summary>
    public void Leave()
    {
        _latch.Enter();
        _hasLeft = true;
        _latch.Exit();
    }
}

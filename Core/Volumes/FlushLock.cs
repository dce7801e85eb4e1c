using System;
using System.Threading;
using Weir.Core.Base;

namespace Weir.Core.Volumes;

/// <summary>
/// Who may flush backing devices: one at a time, because a device may answer a failed flush by forgetting what it
/// should have covered, and a flush beside that one would succeed over the hole (R6, R8).
/// </summary>
/// <remarks>
/// Protocol. Whoever wants to flush takes the lock, submits, gives the lock back after the last answer and after every
/// failure has been counted. Whoever relies on an earlier write notes the count before that write, and looks again when
/// his own flush has succeeded. Who was refused is woken.
/// </remarks>
internal sealed class FlushLock(Action wakeQueues)
{
    private int _taken;
    private int _wanted;
    private long _failures;

    /// <summary>Flushes that have failed, whoever asked for them.</summary>
    public long Failures => Volatile.Read(ref _failures);

    /// <summary>False: somebody else has it, and the queues are woken when it is free.</summary>
    public bool TryTake()
    {
        Interleaving.Step();
        if (Interlocked.CompareExchange(ref _taken, 1, 0) == 0) return true;
        // Said before the second look: who gives back after it sees that somebody waits.
        Interlocked.Exchange(ref _wanted, 1);
        Interleaving.Step();
        return Interlocked.CompareExchange(ref _taken, 1, 0) == 0;
    }

    /// <summary>Nothing of the caller's is under way any more.</summary>
    public void GiveBack()
    {
        int was = Interlocked.Exchange(ref _taken, 0);
        Invariant.Check(was == 1);
        if (Interlocked.Exchange(ref _wanted, 0) != 0) wakeQueues();
    }

    /// <summary>A flush has failed; by whoever has the lock.</summary>
    public void CountFailure() => Interlocked.Increment(ref _failures);
}

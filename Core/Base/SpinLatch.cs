using System.Threading;

namespace Weir.Core.Base;

/// <summary>
/// A latch for critical sections of a few dozen instructions that never block; waking a queue is the longest. Any
/// thread enters, the same exits. One word, written by whoever enters and leaves. A mutable struct: never readonly,
/// never copied.
/// </summary>
public struct SpinLatch
{
    private int _held;

    /// <summary>Takes the latch if it is free.</summary>
    public bool TryEnter() => Volatile.Read(ref _held) == 0 && Interlocked.Exchange(ref _held, 1) == 0;

    /// <summary>Takes the latch, waiting for its holder.</summary>
    public void Enter()
    {
        if (TryEnter()) return;
        SpinWait spin = default;
        while (!TryEnter())
            if (!Interleaving.Yield()) spin.SpinOnce(sleep1Threshold: -1);
    }

    /// <summary>Leaves. A full fence: what the holder reads next is read after the latch is free.</summary>
    public void Exit() => Interlocked.Exchange(ref _held, 0);
}

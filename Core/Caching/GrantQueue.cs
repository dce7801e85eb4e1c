using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Core.Caching;

/// <summary>
/// The locks of one thread that were parked and are granted, in that order. The thread looks for them once per turn of
/// its loop, for all tables in which it takes locks; whoever grants one wakes it.
/// </summary>
/// <remarks>
/// Protocol: list and count are changed under the latch only, by whoever grants and by the owner. The count is read
/// without it by the owner, who is woken after each addition, so one that saw an old zero turns again. The wake-up is
/// under the latch too: when the owner has taken its last lock, whoever granted that has done with the context. So
/// the context of a thread that has no lock parked may go.
/// </remarks>
/// <param name="index">Number of the thread, below <see cref="BlockLocks.MaxQueues"/>.</param>
/// <param name="io">The thread's context.</param>
public sealed unsafe class GrantQueue(int index, IoContext io)
{
    private SpinLatch _latch;
    private BlockLock* _first;
    private BlockLock* _last;
    private int _count;

    /// <summary>Number of the thread.</summary>
    public int Index => index;

    /// <summary>Nothing has come. On the owner's thread, or of one that does not take.</summary>
    public bool IsEmpty => Volatile.Read(ref _count) == 0;

    /// <summary>The next lock that was parked and is taken now, or null. On the owner's thread.</summary>
    public BlockLock* Take()
    {
        if (IsEmpty) return null;
        _latch.Enter();
        BlockLock* granted = _first;
        _first = granted->Next;
        if (_first == null) _last = null;
        Volatile.Write(ref _count, _count - 1);
        _latch.Exit();
        granted->Next = null;
        return granted;
    }

    /// <summary>From any thread: <paramref name="granted"/> has all its blocks.</summary>
    public void Add(BlockLock* granted)
    {
        granted->Next = null;
        _latch.Enter();
        if (_last == null) _first = granted;
        else _last->Next = granted;
        _last = granted;
        Volatile.Write(ref _count, _count + 1);
        Interleaving.Step();
        if (!Mutant.Is(LockMutant.GrantUnwoken)) io.Wake();
        _latch.Exit();
    }
}

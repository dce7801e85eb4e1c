using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Core.Volumes;

/// <summary>
/// The queues of a volume that are open: who is woken when something has happened, and who has stopped. The first one,
/// number 0, does what is the whole volume's; others may have background work of their own.
/// </summary>
/// <remarks>
/// Protocol. A slot of <c>_wakers</c> is written once, by the thread that opens the queue, and stays; then
/// <c>_count</c> is raised beyond it, by compare-exchange. <c>_open</c> is raised before that and lowered when the
/// queue has nothing under way any more; a queue whose stop waits for all the others, as the first one's does, when its
/// own stop begins.
/// <c>_changed</c> is set by whoever has changed something that the background work looks after, and cleared by the
/// first queue's thread before it looks whether all of that is done.
/// </remarks>
/// <param name="most">Queues at most.</param>
internal sealed class QueueSet(int most)
{
    private readonly QueueWaker?[] _wakers = new QueueWaker?[most];
    private int _count;
    private int _open;
    private int _changed;

    /// <summary>Numbers below this may be open.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Nobody has anything under way but those who wait for just that.</summary>
    public bool HaveAllStopped => Volatile.Read(ref _open) == 0;

    /// <summary>Queue number <paramref name="index"/> opens, on the thread that calls; once each.</summary>
    public QueueWaker Open(int index, IoContext io)
    {
        Invariant.Check((uint)index < (uint)_wakers.Length);
        Invariant.Check(_wakers[index] == null);
        Interlocked.Increment(ref _open);
        QueueWaker waker = new(io);
        Volatile.Write(ref _wakers[index], waker);
        AtomicMax.Raise(ref _count, index + 1);
        return waker;
    }

    /// <summary>A queue has nothing under way any more: or waits for the others, to end its stop.</summary>
    public void NoteStopped()
    {
        int left = Interlocked.Decrement(ref _open);
        Invariant.Check(left >= 0);
        WakeAll();
    }

    /// <summary>Wakes whoever does the volume's background work. Any thread.</summary>
    public void WakeFirst() => Wake(0);

    /// <summary>Wakes queue <paramref name="index"/>, if it is open. Any thread.</summary>
    public void Wake(int index) => Volatile.Read(ref _wakers[index])?.Wake();

    /// <summary>Wakes all. Any thread.</summary>
    public void WakeAll()
    {
        for (int i = 0; i < Count; i++) Volatile.Read(ref _wakers[i])?.Wake();
    }

    /// <summary>
    /// Queue <paramref name="index"/> has changed something: the first queue, which may sleep without a deadline while
    /// nothing has changed, hears of the first such change.
    /// </summary>
    public void NoteChange(int index)
    {
        if (index == 0) return;
        bool isNew = Volatile.Read(ref _changed) == 0 && Interlocked.Exchange(ref _changed, 1) == 0;
        if (isNew) WakeFirst();
    }

    /// <summary>On the first queue's thread, before it looks whether what has changed is looked after.</summary>
    public void ClearChange() => Interlocked.Exchange(ref _changed, 0);
}

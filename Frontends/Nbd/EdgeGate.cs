using System;
using System.Threading;
using Weir.Core.Base;

namespace Weir.Frontends.Nbd;

/*
 * A change that does not begin and end on sectors is read, merged and written; no other change of the same sectors may
 * come between, from whatever queue. Nobody blocks: a refused caller comes again.
 *
 *   no connection needs it        each queue counts its own changes under way, in a cache line of its own
 *   one does (_users > 0)         every change is noted at the stripes of its range, under the latch
 *
 *   stripe (1 MiB of the export, by number modulo 256):  ordinary changes under way, or one that merges; and how many
 *   want to merge, which lets no more ordinary ones in
 *
 * From the first to the second: whoever raises _users has every processor pass a fence, and waits until the count of
 * each queue has been 0. A queue counts first and looks at _users then, with plain instructions: either it sees the new
 * value, or its count is seen. So changes of whole sectors pay for two stores and a look.
 */

/// <summary>Keeps changes of parts of sectors from undoing others, over all queues of one export.</summary>
internal sealed class EdgeGate
{
    /// <summary>Bytes of the export that a stripe stands for.</summary>
    public const int StripeBytes = 1 << 20;

    private const int Stripes = 256;
    private const int MaxQueues = 64;
    // Numbers of 8 bytes in 128: no two queues write the same line, nor its neighbour.
    private const int LineNumbers = 16;

    private readonly long[] _underWay = new long[(MaxQueues + 1) * LineNumbers];
    private readonly int[] _ordinary = new int[Stripes];
    private readonly int[] _wanted = new int[Stripes];
    private readonly bool[] _merging = new bool[Stripes];
    private SpinLatch _latch;
    private int _users;
    private long _noted;

    /// <summary>False in a test only: changes of parts of sectors then wait for nobody.</summary>
    // Mutants belong to a thread: that of whoever makes the export, not those that serve it.
    public bool IsGuarding { get; } = !Mutant.Is(NbdMutant.EdgesUnguarded);

    /// <summary>Changes that had to be noted under the latch; any thread.</summary>
    public long Noted => Volatile.Read(ref _noted);

    /// <summary>A connection changes parts of sectors from now on, until <see cref="RemoveUser"/>.</summary>
    public void AddUser()
    {
        Interlocked.Increment(ref _users);
        Interlocked.MemoryBarrierProcessWide();
    }

    /// <summary>It has ended, and none of its changes is under way.</summary>
    public void RemoveUser() => Interlocked.Decrement(ref _users);

    /// <summary>
    /// Every change begun before a user's <see cref="AddUser"/> has ended: once true for it, it stays so.
    /// </summary>
    public bool IsSettled()
    {
        for (int queue = 0; queue < MaxQueues; queue++)
            if (Volatile.Read(ref Counter(queue)) != 0) return false;
        return true;
    }

    /// <summary>
    /// Lets a change of whole sectors in, on queue <paramref name="queue"/>; <paramref name="isNoted"/> goes to
    /// <see cref="Exit"/>. False: not now.
    /// </summary>
    public bool TryEnter(int queue, long offsetBytes, long lengthBytes, out bool isNoted)
    {
        isNoted = false;
        Volatile.Write(ref Counter(queue), Counter(queue) + 1);
        if (Volatile.Read(ref _users) == 0) return true;
        Volatile.Write(ref Counter(queue), Counter(queue) - 1);
        (int first, int count) = StripesOf(offsetBytes, lengthBytes);
        _latch.Enter();
        _noted++;
        isNoted = true;
        for (int i = 0; i < count && isNoted; i++)
            isNoted = !_merging[(first + i) % Stripes] && _wanted[(first + i) % Stripes] == 0;
        for (int i = 0; i < count && isNoted; i++) _ordinary[(first + i) % Stripes]++;
        _latch.Exit();
        return isNoted;
    }

    /// <summary>Ends a change of whole sectors.</summary>
    public void Exit(int queue, long offsetBytes, long lengthBytes, bool isNoted)
    {
        if (!isNoted)
        {
            Volatile.Write(ref Counter(queue), Counter(queue) - 1);
            return;
        }
        (int first, int count) = StripesOf(offsetBytes, lengthBytes);
        _latch.Enter();
        for (int i = 0; i < count; i++) _ordinary[(first + i) % Stripes]--;
        _latch.Exit();
    }

    /// <summary>
    /// Lets a change in that merges, of a settled user, alone on its stripes. False: not now;
    /// <paramref name="isWaiting"/> remembers that its wish is noted.
    /// </summary>
    public bool TryEnterMerging(long offsetBytes, long lengthBytes, ref bool isWaiting)
    {
        (int first, int count) = StripesOf(offsetBytes, lengthBytes);
        bool free = true;
        _latch.Enter();
        for (int i = 0; i < count; i++)
            free &= _ordinary[(first + i) % Stripes] == 0 && !_merging[(first + i) % Stripes];
        int wish = (free ? 0 : 1) - (isWaiting ? 1 : 0);
        for (int i = 0; i < count; i++)
        {
            _wanted[(first + i) % Stripes] += wish;
            _merging[(first + i) % Stripes] |= free;
        }
        _latch.Exit();
        isWaiting = !free;
        return free;
    }

    /// <summary>Ends a change that merged.</summary>
    public void ExitMerging(long offsetBytes, long lengthBytes)
    {
        (int first, int count) = StripesOf(offsetBytes, lengthBytes);
        _latch.Enter();
        for (int i = 0; i < count; i++)
        {
            Invariant.Check(_merging[(first + i) % Stripes]);
            _merging[(first + i) % Stripes] = false;
        }
        _latch.Exit();
    }

    // Each stripe once, however long the range.
    private static (int First, int Count) StripesOf(long offsetBytes, long lengthBytes)
    {
        long first = offsetBytes / StripeBytes;
        long last = (offsetBytes + Math.Max(lengthBytes, 1) - 1) / StripeBytes;
        return ((int)(first % Stripes), (int)Math.Min(last - first + 1, Stripes));
    }

    private ref long Counter(int queue) => ref _underWay[(queue + 1) * LineNumbers];
}

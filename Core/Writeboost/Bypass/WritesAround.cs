using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Writeboost.Backings;

namespace Weir.Core.Writeboost.Bypass;

/// <summary>
/// The writes that go round the log (R10): which blocks they are changing, and which devices must be flushed before a
/// flush may be acknowledged (R6).
/// </summary>
/// <remarks>
/// Protocol. A writer enters here, then announces itself in the change table, then looks whether the log names its
/// blocks; it leaves after the backing device has answered and the write has been counted. Who wants to log a change
/// announces it first and then looks here: of two that come at the same time at least one sees the other. Counts and
/// entries are changed under the latch; all may be read without it.
/// </remarks>
public sealed class WritesAround
{
    /// <summary>Writes under way at a time; more are logged.</summary>
    public const int Count = 256;

    private readonly ulong[] _first = new ulong[Count];
    private readonly ulong[] _end = new ulong[Count];
    private readonly ulong[] _unflushed = new ulong[4];
    private readonly Action _wakeQueues;
    private SpinLatch _latch;
    private int _used;
    private int _active;
    private int _waiting;
    private long _written;
    private long _flushed;
    private int _failed;

    /// <summary>None under way.</summary>
    /// <param name="wakeQueues">Makes all queues look at their parked and waiting requests.</param>
    public WritesAround(Action wakeQueues) => _wakeQueues = wakeQueues;

    /// <summary>Writes that the backing devices have answered.</summary>
    public long Written => Volatile.Read(ref _written);

    /// <summary>How many of them a finished flush covers.</summary>
    public long Flushed => Volatile.Read(ref _flushed);

    /// <summary>A flush of a backing device has failed: it may have forgotten writes, and no flush succeeds.</summary>
    public bool HasFailed => Volatile.Read(ref _failed) != 0;

    /// <summary>
    /// The caller is going to change blocks <paramref name="first"/> to <paramref name="end"/> (exclusive). False: too
    /// many are under way, or one of them changes one of these.
    /// </summary>
    public bool TryEnter(ulong first, ulong end, out int place)
    {
        _latch.Enter();
        place = -1;
        bool free = true;
        for (int i = 0; i < _used && free; i++)
        {
            if (_end[i] == 0) place = i;
            free = _end[i] == 0 || end <= _first[i] || _end[i] <= first;
        }
        if (place < 0 && _used < Count) place = _used++;
        free &= place >= 0;
        if (free)
        {
            (_first[place], _end[place]) = (first, end);
            Interlocked.Increment(ref _active);
        }
        _latch.Exit();
        return free;
    }

    /// <summary>
    /// The write at <paramref name="place"/> is over; <paramref name="id"/>: the device that has it, or 0.
    /// </summary>
    public void Leave(int place, int id)
    {
        _latch.Enter();
        if (id != 0)
        {
            _unflushed[id >> 6] |= 1UL << id;
            Volatile.Write(ref _written, _written + 1);
        }
        _end[place] = 0;
        while (_used > 0 && _end[_used - 1] == 0) _used--;
        Interlocked.Decrement(ref _active);
        _latch.Exit();
        if (Interlocked.Exchange(ref _waiting, 0) != 0) _wakeQueues();
    }

    /// <summary>
    /// One that is under way changes a block from <paramref name="first"/> to <paramref name="end"/>: the caller, who
    /// has announced his change, takes that back, waits, and is woken.
    /// </summary>
    public bool MustWait(ulong first, ulong end)
    {
        if (Volatile.Read(ref _active) == 0) return false;
        // Before the look: who leaves after it sees that somebody waits.
        Interlocked.Exchange(ref _waiting, 1);
        _latch.Enter();
        bool meets = false;
        for (int i = 0; i < _used && !meets; i++) meets = _end[i] != 0 && _first[i] < end && first < _end[i];
        _latch.Exit();
        return meets;
    }

    /// <summary>
    /// What is to be flushed, for whoever has the turn (<see cref="FlushTurn"/>); false: nothing, or in vain.
    /// <paramref name="devices"/>: bit i for device i.
    /// </summary>
    public bool TryBeginFlush(Span<ulong> devices, out long covers)
    {
        _latch.Enter();
        bool begins = _flushed < _written && !HasFailed;
        covers = _written;
        if (begins)
        {
            _unflushed.CopyTo(devices);
            Array.Clear(_unflushed);
        }
        _latch.Exit();
        return begins;
    }

    /// <summary>
    /// A flush of device <paramref name="id"/> that was not for these writes has failed. True: it may have forgotten
    /// some of them, and from now on no flush succeeds.
    /// </summary>
    public bool NoteFailedFlush(int id)
    {
        _latch.Enter();
        bool lost = (_unflushed[id >> 6] & (1UL << id)) != 0;
        // Answered, perhaps, but not counted yet.
        for (int i = 0; i < _used && !lost; i++) lost = _end[i] != 0 && BackingTable.IdOf(_first[i]) == id;
        if (lost) Volatile.Write(ref _failed, 1);
        _latch.Exit();
        return lost;
    }

    /// <summary>The devices have answered.</summary>
    public void EndFlush(long covers, bool failed)
    {
        _latch.Enter();
        if (failed) Volatile.Write(ref _failed, 1);
        else Volatile.Write(ref _flushed, Math.Max(_flushed, covers));
        _latch.Exit();
        _wakeQueues();
    }
}

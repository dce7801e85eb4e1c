using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;

namespace Weir.Core.Writeboost.Bypass;

/// <summary>
/// The writes that go round the log (R10): which blocks they are changing, and which devices must be flushed before a
/// flush may be acknowledged (R6).
/// </summary>
/// <remarks>
/// Protocol. A writer enters here, then announces itself in the striped versions, then looks whether the log names its
/// blocks; it leaves after the backing device has answered and the write has been counted. Who wants to log a change
/// announces it first and then looks here: of two that come at the same time at least one sees the other. Counts and
/// entries are changed under the latch; all may be read without it.
/// </remarks>
internal sealed class WritesAround
{
    /// <summary>Writes under way at a time; more are logged.</summary>
    public const int Count = 256;

    private readonly ulong[] _first = new ulong[Count];
    private readonly ulong[] _end = new ulong[Count];
    private readonly ulong[] _unflushed = new ulong[4];
    private readonly ulong[] _flushing = new ulong[4];
    private readonly Action _wakeQueues;
    private SpinLatch _latch;
    private int _used;
    private int _active;
    private int _waiting;
    private long _written;
    private long _flushed;
    private long _lost;
    private (long Writes, long Bytes) _all, _flushingNow, _kept;
    private int _failed;
    private bool _resumes;

    /// <summary>None under way.</summary>
    /// <param name="wakeQueues">Makes all queues look at their parked and waiting requests.</param>
    public WritesAround(Action wakeQueues) => _wakeQueues = wakeQueues;

    /// <summary>Writes that the backing devices have answered.</summary>
    public long Written => Volatile.Read(ref _written);

    /// <summary>How many of them a finished flush covers.</summary>
    public long Flushed => Volatile.Read(ref _flushed);

    /// <summary>
    /// A flush of a backing device has failed: it may have forgotten writes. No flush succeeds, and no more writes go
    /// round, until <see cref="Resume"/>.
    /// </summary>
    public bool HasFailed => Volatile.Read(ref _failed) != 0;

    /// <summary>
    /// Of the first <paramref name="count"/> writes round the log some may have been forgotten: whoever waits for them
    /// is told, whatever has happened since. To be looked at after <see cref="Flushed"/>.
    /// </summary>
    public bool IsLost(long count) => count != 0 && count <= Volatile.Read(ref _lost);

    /// <summary>What no flush has covered, for people: "3 writes (12 KiB) that went round the log".</summary>
    public string Unflushed
    {
        get
        {
            _latch.Enter();
            (long writes, long bytes) = (_all.Writes - _kept.Writes, _all.Bytes - _kept.Bytes);
            _latch.Exit();
            return $"{writes} write{(writes == 1 ? "" : "s")} ({ByteSize.Format(bytes)}) that went round the log";
        }
    }

    /// <summary>
    /// The caller is going to change blocks <paramref name="first"/> to <paramref name="end"/> (exclusive). False: too
    /// many are under way, or one of them changes one of these.
    /// </summary>
    public bool TryEnter(ulong first, ulong end, out int place)
    {
        _latch.Enter();
        place = -1;
        bool free = _failed == 0;
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
    /// The write at <paramref name="place"/> is over; <paramref name="id"/>: the device that has it, or 0;
    /// <paramref name="bytes"/>: what will be acknowledged, or 0.
    /// </summary>
    public void Leave(int place, int id, long bytes)
    {
        _latch.Enter();
        if (id != 0)
        {
            _unflushed[id >> 6] |= 1UL << id;
            if (bytes > 0) _all = (_all.Writes + 1, _all.Bytes + bytes);
            // It may have been under way when the flush failed.
            if (_failed != 0) Volatile.Write(ref _lost, _written + 1);
            Volatile.Write(ref _written, _written + 1);
        }
        _end[place] = 0;
        while (_used > 0 && _end[_used - 1] == 0) _used--;
        Interlocked.Decrement(ref _active);
        ResumeIfQuiet();
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
    /// What is to be flushed, for whoever has the lock (<see cref="FlushLock"/>); false: nothing, or in vain.
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
            Array.Copy(_unflushed, _flushing, _unflushed.Length);
            _flushingNow = _all;
            Array.Clear(_unflushed);
        }
        _latch.Exit();
        return begins;
    }

    /// <summary>
    /// A flush of device <paramref name="id"/> that was not for these writes has failed. True: it may have forgotten
    /// some of them, and no flush succeeds until <see cref="Resume"/>.
    /// </summary>
    public bool NoteFailedFlush(int id)
    {
        _latch.Enter();
        bool lost = (_unflushed[id >> 6] & (1UL << id)) != 0;
        // Answered, perhaps, but not counted yet.
        for (int i = 0; i < _used && !lost; i++) lost = _end[i] != 0 && BackingTable.IdOf(_first[i]) == id;
        if (lost) Fail();
        _latch.Exit();
        return lost;
    }

    /// <summary>The devices have answered.</summary>
    public void EndFlush(long covers, bool failed)
    {
        _latch.Enter();
        if (failed)
        {
            for (int i = 0; i < _flushing.Length; i++) _unflushed[i] |= _flushing[i];
            if (!Mutant.Is(WriteboostMutant.R6AroundFailureForgotten)) Fail();
        }
        else
        {
            Volatile.Write(ref _flushed, Math.Max(_flushed, covers));
            _kept = _flushingNow;
        }
        _latch.Exit();
        _wakeQueues();
    }

    /// <summary>
    /// Whoever has to know what may be lost has been told: from now on flushes count again, the next one of all devices
    /// that were written. Those that were asked for before still fail. Writes that were under way are waited for.
    /// </summary>
    public void Resume()
    {
        _latch.Enter();
        _resumes = _failed != 0;
        ResumeIfQuiet();
        _latch.Exit();
    }

    private void Fail()
    {
        Volatile.Write(ref _lost, _written);
        Volatile.Write(ref _failed, 1);
    }

    // What was under way when the flush failed is counted before. One more write than there was: a flush that comes now
    // waits for more than those before it, and is not told.
    private void ResumeIfQuiet()
    {
        if (!_resumes || _active > 0) return;
        _resumes = false;
        Volatile.Write(ref _written, _written + 1);
        Volatile.Write(ref _failed, 0);
    }
}

using System;
using System.Runtime.InteropServices;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Log;

/// <content>Opening segments, giving RAM segments back, freeing what was written back.</content>
public sealed unsafe partial class SegmentLog
{
    // A flush for want of RAM shall free an eighth of it: fewer would let flushes follow each other for little.
    private const int RamReliefShare = 8;

    private readonly ReaderEpoch _readers;
    private readonly int[] _free;
    private SpinLatch _open;
    private SpinLatch _release;
    private int _freeCount;          // under _open
    private long _releaseSegment;    // under _release: oldest segment that may still be in RAM
    private bool _keepsRam;          // under _release
    private long _tailSegment;       // written by the reclaimer only
    private long _dirtySegment;      // written by write-back only
    private int _reservedSegments;   // written by write-back only
    private Geometry? _planned;      // under _open: what the geometry becomes
    private int _starved;            // writers wait for a free segment: write-back must hurry

    /// <summary>Segments that writers leave free: write-back may need them to make more free.</summary>
    public int ReservedSegments
    {
        get => Volatile.Read(ref _reservedSegments);
        set => Volatile.Write(ref _reservedSegments, value);
    }

    /// <summary>Writers wait until write-back frees a segment.</summary>
    public bool IsStarved => Volatile.Read(ref _starved) != 0;

    /// <summary>At least this share of the cache, in percent, is used by what has not been written back.</summary>
    public bool IsUsedAbove(int percent) =>
        (HeadSegment - DirtySegment) * 100 >= (long)percent * _geometry.SegmentCount;

    /// <summary>
    /// Opens the segment after the full one. True when a segment is open, whoever opened it. Reuse is safe: the tail
    /// has moved beyond the old contents only after R8's steps.
    /// </summary>
    public bool TryOpenNext(LogPort port, bool urgent = false)
    {
        _open.Enter();
        bool opened = OpenNext(urgent, out bool ramShort);
        // While the cache grows, its end wakes whoever had to wait for that.
        bool starves = !opened && !ramShort && _planned == null && Interlocked.Exchange(ref _starved, 1) == 0;
        _open.Exit();
        if (starves) _wakeQueues();
        if (ramShort) RequestDurable(port, RamRelief());
        return opened;
    }

    // What is written already, if that frees enough to be worth a flush: segments on their way are not waited for, they
    // come with the next one.
    private long RamRelief()
    {
        long enough = Geometry.Position(FirstSegmentInRam + Math.Max(1, Ram.Count / RamReliefShare), 0);
        return Math.Min(Math.Max(Written, enough), Geometry.Position(HeadSegment, 0));
    }

    /// <summary>
    /// After the cache device has failed: the log takes nothing more. Writers that came earlier finish their slots.
    /// </summary>
    public void Shut(LogPort port)
    {
        Invariant.Check(Health.CacheHasFailed);
        // Whoever opens or releases a segment just now has done so afterwards; later ones see the state.
        _open.Enter();
        _open.Exit();
        // A flush may still come back well: what RAM holds now stays there, for whoever must do without the cache.
        _release.Enter();
        _keepsRam = true;
        _release.Exit();
        Close(port, wholeSegment: true, last: true);
        Seal(port);
    }

    /// <summary>Every slot that was ever reserved has been filled and sealed; when the log is shut.</summary>
    public bool IsAllSealed => Volatile.Read(ref _sealSegment) > HeadSegment;

    /// <summary>Oldest segment that RAM still has; segments leave it in order, when they are durable.</summary>
    public long FirstSegmentInRam => Volatile.Read(ref _releaseSegment);

    /// <summary>Segments before <paramref name="segment"/> are on the backing device, and the mark says so.</summary>
    public void CleanBefore(long segment)
    {
        Invariant.Check(segment > DirtySegment);
        Volatile.Write(ref _dirtySegment, segment);
    }

    /// <summary>Segments before <paramref name="segment"/> are free: clean, forgotten, unread.</summary>
    public void FreeBefore(long segment)
    {
        Invariant.Check(segment > TailSegment);
        Invariant.Check(segment <= DirtySegment);
        Volatile.Write(ref _tailSegment, segment);
        // Under the latch: nobody starves for what has just been freed.
        _open.Enter();
        Volatile.Write(ref _starved, 0);
        _open.Exit();
        _wakeQueues();
    }

    /// <summary>
    /// Plans for <paramref name="segmentCount"/> segments: until <see cref="EndGrowth"/> only those are opened that
    /// lie at the same place before and after, so that the superblock may say either. False: the segments in use wrap;
    /// <paramref name="wrap"/> is the first of them that lies at place 0.
    /// </summary>
    public bool TryPlanGrowth(int segmentCount, out Geometry grown, out long wrap)
    {
        _open.Enter();
        long head = HeadSegment, tail = Math.Min(TailSegment, FirstSegmentInRam);
        wrap = head - _geometry.Physical(head);
        bool fits = _geometry.IsUnwrapped(tail, head) || Mutant.Is(WriteboostMutant.R12GrownWrapped);
        grown = fits ? _geometry.Grown(segmentCount, head) : default;
        if (fits) _planned = grown;
        _open.Exit();
        return fits;
    }

    /// <summary>The superblock says so, durably: the plan holds. Or, without success, it never did.</summary>
    public void EndGrowth(bool success)
    {
        _open.Enter();
        Invariant.Check(_planned != null);
        if (success) _geometry.Adopt(_planned.Value);
        _planned = null;
        Volatile.Write(ref _starved, 0);
        _open.Exit();
        _wakeQueues();
    }

    // One more free RAM segment than at which writers ask for a flush.
    private bool TryOpenSpare()
    {
        _open.Enter();
        bool opened = FreeSegments > 1 && _freeCount > (Ram.Count / 2) + 1 && OpenNext(urgent: false, out _);
        _open.Exit();
        return opened;
    }

    // The open segment belongs to the reserve: only urgent work goes on.
    private bool IsInReserve()
    {
        if (!IsReserveOpen) return false;
        _open.Enter();
        bool still = IsReserveOpen;
        bool starves = still && Interlocked.Exchange(ref _starved, 1) == 0;
        _open.Exit();
        if (starves) _wakeQueues();
        return still;
    }

    private bool IsReserveOpen
    {
        get
        {
            int reserved = ReservedSegments;
            return reserved != 0 && HeadSegment - TailSegment >= Geometry.SegmentCount - reserved;
        }
    }

    private bool OpenNext(bool urgent, out bool ramShort)
    {
        long word = _cursor.Load();
        long segment = SegmentCursor.SegmentOf(word) + 1;
        ramShort = false;
        if (SegmentCursor.NextOf(word) <= Geometry.SlotsPerSegment) return true;
        if (Health.CacheHasFailed) return false;
        if (segment - TailSegment >= Geometry.SegmentCount - (urgent ? 0 : ReservedSegments)) return false;
        if (_planned is { } planned && planned.Physical(segment) != _geometry.Physical(segment)
            && !Mutant.Is(WriteboostMutant.R12GrownUnplanned))
            return false;
        ramShort = _freeCount <= Ram.Count / 2;
        if (_freeCount == 0) return false;
        int ram = _free[--_freeCount];
        Prepare(ram, segment);
        Interleaving.Step();
        _cursor.Open(segment);
        return true;
    }

    private void Prepare(int ram, long segment)
    {
        NativeMemory.Clear(CounterAt(ram, 0), (nuint)Geometry.SlotsPerSegment * sizeof(int));
        Volatile.Write(ref _segmentEnds[ram], Geometry.SlotsPerSegment);
        Ram.Assign(ram, segment);
        Mutant.Point();
        Table.Assign(Geometry.Physical(segment), segment, ram);
    }

    // Durable segments leave RAM (R6: not before). Their readers are waited for, then the RAM segment is free.
    private void ReleaseDurable()
    {
        _release.Enter();
        Span<int> rams = stackalloc int[Ram.Count];
        int count = 0;
        while (!_keepsRam && Geometry.Position(_releaseSegment + 1, 0) <= Durable)
        {
            int physical = Geometry.Physical(_releaseSegment++);
            rams[count++] = Table.RamOf(physical);
            Table.LeaveRam(physical);
        }
        if (count > 0) GiveBack(rams[..count]);
        _release.Exit();
    }

    private void GiveBack(Span<int> rams)
    {
        _readers.Synchronize();
        Interleaving.Step();
        _open.Enter();
        foreach (int ram in rams) _free[_freeCount++] = ram;
        _open.Exit();
    }
}

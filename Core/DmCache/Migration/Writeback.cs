using System;
using System.Runtime.InteropServices;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.Cleaning;
using Weir.Core.DmCache.Places;
using Weir.Core.Io;
using Weir.Core.Volumes;

namespace Weir.Core.DmCache.Migration;

/*
 * A run of neighbouring homes, at whatever places:
 *
 *   idle -> reading the places -> (comparing with home, if in doubt) -> writing home -> written -> [flush] -> clean
 *
 *   lock     held, for reading, from idle to clean: nobody takes the block out, everybody reads and writes it
 *   Written  taken away under a lock that lets no writer in; set by each writer: such a block stays dirty (B4)
 */

/// <summary>
/// Writes dirty blocks home, on the first queue's thread, in the order of their homes, neighbours as one write, at the
/// governor's pace. Clients read and write the blocks meanwhile. Blocks count as clean when a flush of the backing
/// device covers them (B4).
/// </summary>
internal sealed unsafe partial class Writeback : IBackgroundTask, IIoHandler, IDisposable
{
    /// <summary>Runs under way at a time, bytes of one that are in memory, and blocks of one.</summary>
    private const int MaxSlots = 2 * CleaningGovernor.MostWrites, BufferBytes = 256 << 10, MaxRun = 8;

    private enum Step : byte
    {
        Free,
        Reading,
        Comparing,
        Writing,
        Written,
    }

    private struct Slot
    {
        public BlockLock Lock;
        public fixed uint Places[MaxRun];
        public int Count;
        public int Left;
        public int Result;
        public long DoneBytes;
        public int FailedDevice;
        public Step Step;
        public bool IsDoubtful;
        public bool HasWritten;
        public bool IsFlushing;
    }

    private struct WritebackOp
    {
        public int Slot;
        public uint Place;
    }

    private readonly MigrationParts _parts;
    private readonly DataQueues _queues;
    private readonly CleaningGovernor _governor;
    private readonly DirtyOrder _order;
    private readonly DeviceFlusher _flusher;
    private readonly ushort _handler;
    private readonly Slot* _slots = (Slot*)NativeMemory.AllocZeroed(MaxSlots, (nuint)sizeof(Slot));
    private readonly BufferPool _buffers = new(MaxSlots, BufferBytes);
    private readonly RetryPause _pause = new();
    private readonly RetryPause _unreadablePause = new();
    private int _underWay;
    private int _written;
    private bool _isFlushing;
    private int _flushResult;

    /// <summary>On the thread of <paramref name="queues"/>.</summary>
    public Writeback(MigrationParts parts, DataQueues queues, CleaningGovernor governor)
    {
        (_parts, _queues, _governor) = (parts, queues, governor);
        _order = new DirtyOrder(parts.Residency.Map.Table, parts.Residency.Map.Unreadable);
        _handler = queues.Io.AddHandler(this);
        _flusher = new DeviceFlusher(parts.Devices.FlushLock, queues.Io)
        {
            Failed = FlushFailed, Ended = FlushEnded,
        };
    }

    /// <inheritdoc/>
    public bool IsQuiet => _underWay == 0 && !_flusher.HasLock;

    /// <inheritdoc/>
    public long DeadlineUs => Map.Table.DirtyCount == 0 ? long.MaxValue
        : Map.Table.DirtyCount <= Map.Unreadable.Count && _underWay == 0 ? _unreadablePause.EndUs
        : _pause.IsOn ? _pause.EndUs : _underWay > 0 ? long.MaxValue : Math.Max(_governor.ResumeUs, _nextUs);

    private long _nextUs;

    private CacheMap Map => _parts.Residency.Map;

    private bool MayStop => _parts.Devices.FlushError < 0 || _parts.Mode.IsHeld;

    /// <inheritdoc/>
    public void Poll(long nowUs, BackgroundState state)
    {
        if (Map.Table.DirtyCount > 0 && state == BackgroundState.Serving && !MayStop) BeginRuns(nowUs);
        if (_written > 0 && (_written == _underWay || _written >= MaxSlots / 2)) TryFlush();
    }

    /// <inheritdoc/>
    public void Completed(IoOp* op)
    {
        int index = op->Own<WritebackOp>().Slot;
        Slot* slot = &_slots[index];
        bool isCache = slot->Step == Step.Reading;
        if (op->Result < 0 && slot->Result == 0)
            (slot->Result, slot->FailedDevice) = (op->Result, isCache ? 0 : 1);
        if (op->Result < 0 && isCache) Map.Unreadable.Add(op->Own<WritebackOp>().Place);
        if (slot->Step == Step.Writing) _parts.Devices.Backing.NoteWrite();
        _queues.Io.Release(op);
        if (--slot->Left == 0) Next(index);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _buffers.Dispose();
        NativeMemory.Free(_slots);
    }

    private void BeginRuns(long nowUs)
    {
        if (_pause.IsOnAt(nowUs)) return;
        int window = _governor.Window(nowUs);
        _order.SkipsHot = _governor.Pace != CleaningPace.Full;
        _order.TriesUnreadable = Map.Unreadable.Count > 0 && !_unreadablePause.IsOnAt(nowUs);
        int tries = 2 * MaxSlots;
        while (_underWay - _written < window && _underWay < MaxSlots && tries-- > 0)
        {
            if (!_order.TryNext(out uint place))
            {
                _nextUs = nowUs + DirtyOrder.RoundUs;
                return;
            }
            TryBegin(place);
        }
        _nextUs = nowUs;
    }

    // A run from the place's home on; the home alone where somebody is at work beside it.
    private void TryBegin(uint place)
    {
        int index = 0;
        while (_slots[index].Step != Step.Free) index++;
        Slot* slot = &_slots[index];
        *slot = new Slot { Count = 1 };
        slot->Places[0] = place;
        Extend(slot, Map.Table.HomeOf(place));
        bool isLocked = TryLock(slot, BlockLockMode.Copy);
        if (!isLocked && slot->Count > 1)
        {
            slot->Count = 1;
            isLocked = TryLock(slot, BlockLockMode.Copy);
        }
        if (!isLocked) _parts.Moves.Count(MoveEvent.Clashed);
        else if (TryMark(slot)) Start(index);
    }

    private bool TryLock(Slot* slot, BlockLockMode mode)
    {
        slot->Lock = new BlockLock
        {
            FirstBlock = Map.Table.HomeOf(slot->Places[0]), BlockCount = slot->Count, Mode = mode,
        };
        return Map.Locks.TryTake(&slot->Lock);
    }

    // A look without a lock: what it finds is looked at again.
    private void Extend(Slot* slot, long home)
    {
        slot->IsDoubtful = IsDoubtful(slot->Places[0]);
        bool isAlone = slot->IsDoubtful || Map.Unreadable.Has(slot->Places[0]);
        int most = isAlone ? 1 : (int)Math.Min(MaxRun, BufferBytes / _parts.Geometry.BlockBytes);
        for (; slot->Count < most; slot->Count++)
        {
            long place = Map.Find(home + slot->Count);
            if (place < 0 || !IsDirtyAtRest((uint)place) || IsDoubtful((uint)place)
                || Map.Unreadable.Has((uint)place)) return;
            slot->Places[slot->Count] = (uint)place;
        }
    }

    private bool IsDoubtful(uint place) => (Map.Table.StateOf(place) & PlaceState.Doubtful) != 0;

    private bool IsDirtyAtRest(uint place) =>
        (Map.Table.StateOf(place) & (PlaceState.Mapped | PlaceState.Dirty | PlaceState.Cleaning | PlaceState.Written))
        is (PlaceState.Mapped | PlaceState.Dirty) or (PlaceState.Mapped | PlaceState.Dirty | PlaceState.Written);

    // No writer is in the blocks. From here on each that comes says so; those that go to both devices are kept out.
    private bool TryMark(Slot* slot)
    {
        bool areThere = AreThere(slot);
        for (int i = 0; i < slot->Count && areThere; i++) areThere = IsDirtyAtRest(slot->Places[i]);
        if (!areThere)
        {
            Map.Locks.Release(&slot->Lock);
            return false;
        }
        for (int i = 0; i < slot->Count; i++)
            Map.Table.Change(slot->Places[i], PlaceState.Cleaning, PlaceState.Written);
        if (_parts.Mode.Current != CacheMode.Writeback) return true;
        Map.Locks.Release(&slot->Lock);
        slot->Lock.Mode = BlockLockMode.Read;
        if (!Map.Locks.TryTake(&slot->Lock))
        {
            Unmark(slot);
            return false;
        }
        if (AreThere(slot)) return true;
        Unmark(slot);
        Map.Locks.Release(&slot->Lock);
        return false;
    }

    private bool AreThere(Slot* slot)
    {
        for (int i = 0; i < slot->Count; i++)
            if (Map.Find(slot->Lock.FirstBlock + i) != slot->Places[i]) return false;
        return true;
    }

    // Whoever has taken a block out meanwhile has taken the mark away with it.
    private void Unmark(Slot* slot)
    {
        for (int i = 0; i < slot->Count; i++) Map.Table.Change(slot->Places[i], 0, PlaceState.Cleaning);
    }
}

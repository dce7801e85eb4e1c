using System;
using System.Runtime.InteropServices;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.Io;
using Weir.Core.SsdCache.Format;
using Weir.Core.SsdCache.Sets;
using Weir.Core.Volumes;

namespace Weir.Core.SsdCache.Queue;

/// <summary>
/// Puts what a read has brought from home into the cache, on the thread of its queue: the client has its answer
/// meanwhile. A fill that would have to wait for anything is left out.
/// </summary>
internal sealed unsafe class Filler : IIoHandler, IDisposable
{
    private const int PoolBytes = 8 << 20, MaxBufferBytes = 256 << 10;

    private struct Fill
    {
        public BlockLock Lock;
        public uint Slot;
        public int First;
        public int Count;
    }

    private struct FillOp
    {
        public int Fill;
    }

    private readonly QueueParts _parts;
    private readonly QueueCounters _counters;
    private readonly DataQueues _queues;
    private readonly ushort _handler;
    private readonly int _bufferBytes;
    private readonly BufferPool _buffers;
    private readonly Fill* _fills;
    private readonly int _most;

    /// <summary>On the thread of <paramref name="queues"/>.</summary>
    public Filler(QueueParts parts, QueueCounters counters, DataQueues queues)
    {
        (_parts, _counters, _queues) = (parts, counters, queues);
        _handler = queues.Io.AddHandler(this);
        _bufferBytes = Math.Min(parts.Geometry.BlockBytes, MaxBufferBytes);
        _most = Math.Min(256, PoolBytes / _bufferBytes);
        _buffers = new BufferPool(_most, _bufferBytes + SsdGeometry.UnitBytes);
        _fills = (Fill*)NativeMemory.AllocZeroed((nuint)_most, (nuint)sizeof(Fill));
    }

    /// <summary>Nothing is under way.</summary>
    public bool IsQuiet => _buffers.FreeCount == _most;

    /// <summary>
    /// Fills the sectors of a block that a read has just brought from home. Its lock is held, and it has been read.
    /// </summary>
    public void TryFill(Request* request, Piece* piece, in PieceBlock it)
    {
        uint block = piece->FirstBlock + it.Index;
        if (!_parts.Admission.Admits(block))
        {
            _counters.Add(QueueCounters.NotAdmitted, 1);
            return;
        }
        TakeResult taken = TakeWay(block, it.Slot, out uint slot);
        if (taken is TakeResult.NoWay or TakeResult.Closed)
        {
            _counters.Add(taken == TakeResult.NoWay ? QueueCounters.FillsWithoutWay : QueueCounters.FillsClosed, 1);
            return;
        }
        if (taken == TakeResult.Evicted) _counters.Add(QueueCounters.Evictions, 1);
        FillGaps(request, piece, it, slot);
        _parts.Table.Unpin(slot);
    }

    /// <inheritdoc/>
    public void Completed(IoOp* op)
    {
        int index = op->Own<FillOp>().Fill;
        int result = op->Result;
        _queues.Io.Release(op);
        _parts.Devices.Cache.NoteWrite();
        Fill* fill = &_fills[index];
        if (result >= 0 && _parts.Table.SetValid(fill->Slot, fill->First, fill->Count))
            _parts.Pages.NoteChange(PageOf(fill->Slot), NowSecond);
        _counters.Add(result >= 0 ? QueueCounters.Fills : QueueCounters.FillsFailed, 1);
        _parts.Table.Unpin(fill->Slot);
        _parts.Locks.Release(&fill->Lock);
        _buffers.Return(index);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _buffers.Dispose();
        NativeMemory.Free(_fills);
    }

    // Pinned. A page that is closed is opened for the next one.
    private TakeResult TakeWay(uint block, int known, out uint slot)
    {
        TakeResult taken = TakeResult.Found;
        slot = (uint)Math.Max(known, 0);
        if (known >= 0) _parts.Table.Pin(slot);
        else taken = _parts.Table.TryTake(block, mayEvict: true, _parts.Pages, Tick, out slot);
        bool isTaken = taken is not (TakeResult.NoWay or TakeResult.Closed);
        int page = isTaken ? PageOf(slot) : _parts.Geometry.PageOf(_parts.Geometry.SetOf(block, 0));
        if (taken == TakeResult.NoWay) return taken;
        if (isTaken && _parts.Pages.IsOpen(page))
        {
            _parts.Pages.Touch(page, NowSecond);
            return taken;
        }
        if (isTaken) _parts.Table.Unpin(slot);
        if (_parts.Tickets.Failure == null && _parts.Pages.Want(page)) _parts.Tickets.AskOpen();
        _parts.Queues.WakeFirst();
        return TakeResult.Closed;
    }

    private uint NowSecond => (uint)(_queues.Io.NowUs / 1_000_000);

    // A millisecond, about.
    private uint Tick => (uint)(_queues.Io.NowUs >> 10);

    private int PageOf(uint slot) => _parts.Geometry.PageOf(slot / SsdGeometry.Ways);

    // What the cache has already it keeps.
    private void FillGaps(Request* request, Piece* piece, in PieceBlock it, uint slot)
    {
        (int from, int count) = piece->SectorsOf(it, _parts.Geometry);
        int end = from + count;
        while (from < end)
        {
            int first = end, run = 0;
            if (_parts.Table.TryNextValidRun(slot, from, end, out int valid, out run)) first = valid;
            for (; from < first; from += _bufferBytes / SsdGeometry.SectorBytes)
            {
                int most = Math.Min(first - from, _bufferBytes / SsdGeometry.SectorBytes);
                if (!TryBegin(request, piece, it, slot, from, most)) return;
            }
            from = first + run;
        }
    }

    private bool TryBegin(Request* request, Piece* piece, in PieceBlock it, uint slot, int first, int count)
    {
        long within = (long)first * SsdGeometry.SectorBytes, length = (long)count * SsdGeometry.SectorBytes;
        long at = (((long)piece->FirstBlock + it.Index) << _parts.Geometry.BlockShift) + within;
        IoOp* op = _buffers.FreeCount == 0 ? null : _queues.Io.Acquire(_handler, IoKind.Write);
        if (op == null)
        {
            _counters.Add(QueueCounters.FillsCrowded, 1);
            return false;
        }
        int index = _buffers.Take();
        Fill* fill = &_fills[index];
        *fill = new Fill { Slot = slot, First = first, Count = count, Lock = LockOf(at, length) };
        if (!Mutant.Is(SsdCacheMutant.B8FillUnlocked) && !_parts.Locks.TryTake(&fill->Lock))
        {
            _buffers.Return(index);
            _queues.Io.Release(op);
            _counters.Add(QueueCounters.FillsCrowded, 1);
            return false;
        }
        _parts.Table.Pin(slot);
        // Bytes lie in memory as on the device: sectors of 4 KiB want that.
        byte* bytes = _buffers.At(index) + (within % SsdGeometry.UnitBytes);
        Buffer.MemoryCopy(request->Data + (at - request->OffsetBytes), bytes, length, length);
        op->OffsetBytes = _parts.Geometry.PlaceOffset(slot) + within;
        op->LengthBytes = length;
        op->Buffer = bytes;
        op->Own<FillOp>().Fill = index;
        _queues.Cache.Submit(op);
        return true;
    }

    private static BlockLock LockOf(long at, long length)
    {
        long first = at / SsdGeometry.UnitBytes, last = (at + length - 1) / SsdGeometry.UnitBytes;
        return new BlockLock { FirstBlock = first, BlockCount = last - first + 1, Mode = BlockLockMode.Read };
    }
}

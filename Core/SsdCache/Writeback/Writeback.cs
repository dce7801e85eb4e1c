using System;
using System.Runtime.InteropServices;
using Weir.Core.Base;
using Weir.Core.Cleaning;
using Weir.Core.Io;
using Weir.Core.SsdCache.Format;
using Weir.Core.Volumes;

namespace Weir.Core.SsdCache.Writeback;

/*
 * A batch of dirty blocks, sorted by home:
 *
 *   idle -> collecting -> moving: runs of neighbouring bytes are read from the cache and written home, some at a time
 *        -> flushing home -> settled: blocks that nobody has written meanwhile are clean (B4) -> idle
 *
 * While a block is in a batch, it counts as being cleaned: who writes it in the cache says so, and it stays dirty; who
 * would write it at home waits.
 */

/// <summary>
/// Writes dirty sectors home, on the first queue's thread, in the order of their homes, neighbours as one write, at the
/// governor's pace.
/// </summary>
internal sealed unsafe partial class Writeback : IBackgroundTask, IIoHandler, IDisposable
{
    /// <summary>Blocks of a batch, and pages of the directory that are looked at for them in one turn.</summary>
    private const int MaxBlocks = 64, MaxPagesLookedAt = 256;

    // Pieces of blocks that lie together in the cache; of a batch, and of a run.
    private const int MaxSegments = 1024, MaxRunSegments = 64;

    private const int MaxRuns = CleaningGovernor.MostWrites, BufferBytes = 256 << 10;

    private const int MaxDirtyWords = SsdGeometry.MaxBlockBytes / SsdGeometry.UnitBytes / 64;

    private struct Block
    {
        public fixed ulong Units[MaxDirtyWords];
        public uint Slot;
        public uint Number;
        public bool HasFailed;
    }

    private struct Segment
    {
        public long HomeOffset;
        public long CacheOffset;
        public int LengthBytes;
        public int Block;
    }

    private struct Run
    {
        public int First;
        public int Count;
        public int Left;
        public int LengthBytes;
        public bool IsUsed;
        public bool IsWriting;
        public bool HasFailed;
    }

    private struct RunOp
    {
        public int Run;
        public int Segment;
    }

    private readonly WritebackParts _parts;
    private readonly DataQueues _queues;
    private readonly CleaningGovernor _governor;
    private readonly DeviceFlusher _flusher;
    private readonly ushort _handler;
    private readonly AlignedMemory _buffers = new(MaxRuns * (BufferBytes + SsdGeometry.UnitBytes));
    private readonly Block* _blocks = (Block*)NativeMemory.AllocZeroed(MaxBlocks, (nuint)sizeof(Block));
    private readonly Segment[] _segments = new Segment[MaxSegments];
    private readonly Run[] _runs = new Run[MaxRuns];
    private readonly ulong[] _found = new ulong[MaxBlocks * 4];
    private int _foundCount;
    private int _blockCount;
    private int _segmentCount;
    private int _nextSegment;
    private int _runsUnderWay;
    private int _pageCursor;
    private bool _isFlushing;
    private int _flushError;
    private readonly RetryPause _pause = new();
    private long _nextUs;

    /// <summary>On the thread of <paramref name="queues"/>.</summary>
    public Writeback(WritebackParts parts, DataQueues queues, CleaningGovernor governor)
    {
        (_parts, _queues, _governor) = (parts, queues, governor);
        _handler = queues.Io.AddHandler(this);
        _flusher = new DeviceFlusher(parts.Devices.FlushLock, queues.Io) { Failed = FlushFailed, Ended = Settle };
    }

    /// <inheritdoc/>
    public bool IsQuiet => _blockCount == 0 && !_flusher.HasLock;

    /// <inheritdoc/>
    public long DeadlineUs => _parts.Table.DirtyCount == 0 || _runsUnderWay > 0 || _isFlushing ? long.MaxValue
        : Math.Max(Math.Max(_governor.ResumeUs, _nextUs), _pause.EndUs);

    private bool MayBegin(long nowUs, BackgroundState state) => state == BackgroundState.Serving
        && _parts.Table.DirtyCount > 0 && !_pause.IsOnAt(nowUs) && _parts.Devices.FlushError == 0;

    /// <inheritdoc/>
    public void Poll(long nowUs, BackgroundState state)
    {
        if (_blockCount == 0 && MayBegin(nowUs, state) && _governor.Window(nowUs) > 0) Collect(nowUs);
        if (_blockCount == 0 || _isFlushing) return;
        BeginRuns(nowUs);
        if (_nextSegment == _segmentCount && _runsUnderWay == 0) TryFlush();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _buffers.Dispose();
        NativeMemory.Free(_blocks);
    }

    // Dirty blocks of the next pages, sorted: sets follow each other as homes do, for most of them.
    private void Collect(long nowUs)
    {
        _foundCount = 0;
        for (int looked = 0; looked < MaxPagesLookedAt && _foundCount < MaxBlocks; looked++)
        {
            int page = _parts.Pages.NextDirty(_pageCursor);
            if (page < 0 && _pageCursor == 0) break;
            _pageCursor = page < 0 ? 0 : page + 1;
            if (page >= 0) Find(page);
        }
        _nextUs = _foundCount == 0 ? nowUs + 1000 : nowUs;
        Array.Sort(_found, 0, _foundCount);
        (_segmentCount, _nextSegment) = (0, 0);
        int taken = 0;
        for (; taken < _foundCount && _blockCount < MaxBlocks; taken++) TryAdd(_found[taken]);
    }

    // The mark is taken away before the look, and comes back if something is left.
    private void Find(int page)
    {
        SsdGeometry geometry = _parts.Geometry;
        _parts.Pages.ClearDirty(page);
        uint first = geometry.FirstSetOf(page) * SsdGeometry.Ways;
        uint end = first + (uint)(geometry.SetsOf(page) * SsdGeometry.Ways);
        bool isLeft = false;
        for (uint slot = first; slot < end; slot++)
        {
            if (!_parts.Table.AnyDirty(slot, 0, geometry.BlockSectors)) continue;
            isLeft = true;
            if (_foundCount < _found.Length)
                _found[_foundCount++] = ((ulong)_parts.Table.BlockOf(slot) << 32) | slot;
        }
        if (isLeft) _parts.Pages.NoteDirty(page);
    }

    // A block of which all segments fit. Where somebody is at work it waits for another batch.
    private void TryAdd(ulong found)
    {
        Block* block = &_blocks[_blockCount];
        *block = new Block { Slot = (uint)found, Number = (uint)(found >> 32) };
        if (!_parts.Table.BeginClean(block->Slot, block->Units)) return;
        int before = _segmentCount;
        if (_parts.Table.BlockOf(block->Slot) == block->Number && TryAddSegments(block))
        {
            _blockCount++;
            return;
        }
        _segmentCount = before;
        _parts.Table.CancelClean(block->Slot);
    }

    // Valid sectors of dirty units: neighbours in one segment, as long as a buffer.
    private bool TryAddSegments(Block* block)
    {
        SsdGeometry geometry = _parts.Geometry;
        int sectors = geometry.BlockSectors;
        long home = (long)block->Number << geometry.BlockShift, place = geometry.PlaceOffset(block->Slot);
        for (int at = 0; _parts.Table.TryNextDirtyRun(block->Slot, at, sectors, out int first, out int count);)
        {
            if (_segmentCount == MaxSegments) return false;
            int length = Math.Min(count * SsdGeometry.SectorBytes, BufferBytes);
            long within = (long)first * SsdGeometry.SectorBytes;
            _segments[_segmentCount++] = new Segment
            {
                HomeOffset = home + within, CacheOffset = place + within, LengthBytes = length, Block = _blockCount,
            };
            at = first + (length / SsdGeometry.SectorBytes);
        }
        return true;
    }
}

using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Caching;

namespace Weir.Core.Traces;

/// <summary>Splits requests into blocks, numbers these, and marks streams and passing time. One thread.</summary>
internal sealed class CompactTraceBuilder
{
    /// <summary>A while, for policies: a second, or where a trace has no times, so many requests.</summary>
    private const long TickUs = 1_000_000, TickRequests = 4096;

    private const int SectorBytes = 512, DeviceAt = 48;

    private readonly int _blockBytes;
    private readonly bool _hasObjects;
    private readonly long _memoryBytesMax;
    private readonly BlockIds _ids = new();
    private readonly SequentialDetector _streams = new();
    private readonly List<BlockAccess[]> _chunks = [];
    private readonly List<long> _deviceBlocks = [];
    private ulong[] _blocks = new ulong[1 << 10];
    private long _accesses;
    private long _requests;
    private long _writes;
    private long _discards;
    private long _bytes;
    private long _firstUs = -1;
    private long _lastUs;
    private long _tickUs;
    private long _tickRequest;

    /// <summary>An empty one.</summary>
    /// <param name="blockBytes">Of a block of the cache; 4 KiB to 1 GiB.</param>
    /// <param name="hasObjects">As <see cref="TraceReader.HasObjects"/>.</param>
    /// <param name="memoryBytesMax">What it may take; 0: half of what the machine lets this process have.</param>
    public CompactTraceBuilder(int blockBytes, bool hasObjects, long memoryBytesMax = 0)
    {
        Invariant.Check(blockBytes is >= 4096 and <= 1 << 30);
        _blockBytes = blockBytes;
        _hasObjects = hasObjects;
        _memoryBytesMax = memoryBytesMax > 0 ? memoryBytesMax : GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2;
    }

    /// <summary>Requests so far.</summary>
    public long Requests => _requests;

    /// <summary>Adds a request. Throws <c>UserErrorException</c> when memory does not suffice.</summary>
    public void Add(in TraceRecord record)
    {
        if (record.Op == TraceOp.Discard)
        {
            _discards++;
            return;
        }
        BlockAccessFlags flags = record.Op == TraceOp.Write ? BlockAccessFlags.Write : BlockAccessFlags.None;
        if (_hasObjects)
        {
            AddBlock((ulong)record.OffsetBytes, flags | Begin(record), record.LengthBytes);
            return;
        }
        ulong start = ((ulong)record.Device << 52) + (ulong)record.OffsetBytes;
        if (_streams.IsLong(start, record.LengthBytes, SequentialDetector.UsualThreshold))
            flags |= BlockAccessFlags.Sequential;
        long end = record.OffsetBytes + record.LengthBytes;
        BlockAccessFlags first = Begin(record);
        for (long block = record.OffsetBytes / _blockBytes; block * _blockBytes < end; block++)
        {
            long low = Math.Max(record.OffsetBytes, block * _blockBytes);
            long high = Math.Min(end, (block + 1) * _blockBytes);
            bool isWhole = record.Op == TraceOp.Write && high - low == _blockBytes;
            BlockAccessFlags own = isWhole ? BlockAccessFlags.WholeBlock : BlockAccessFlags.None;
            AddBlock(((ulong)record.Device << DeviceAt) | (ulong)block, flags | first | own, high - low);
            first = BlockAccessFlags.None;
        }
        NoteDevice(record.Device, (end + _blockBytes - 1) / _blockBytes);
    }

    /// <summary>The trace; nothing is added after this.</summary>
    public CompactTrace Finish()
    {
        long[] homes = new long[_ids.Count];
        long[] begins = new long[_deviceBlocks.Count];
        for (int i = 1; i < begins.Length; i++) begins[i] = begins[i - 1] + _deviceBlocks[i - 1];
        for (uint i = 0; i < _ids.Count; i++)
            homes[i] = _hasObjects ? i
                : begins[(int)(_blocks[i] >> DeviceAt)] + (long)(_blocks[i] & ((1UL << DeviceAt) - 1));
        long homeCount = _hasObjects ? _ids.Count : begins.Length == 0 ? 0 : begins[^1] + _deviceBlocks[^1];
        long spanUs = _firstUs < 0 ? 0 : _lastUs - _firstUs;
        TraceFigures figures = new(_blockBytes, _requests, _writes, _discards, _bytes, spanUs);
        return new CompactTrace(_chunks, _accesses, homes, homeCount, figures);
    }

    private BlockAccessFlags Begin(in TraceRecord record)
    {
        _requests++;
        _bytes += record.LengthBytes;
        if (record.Op == TraceOp.Write) _writes++;
        _lastUs = record.TimeUs;
        if (_firstUs < 0) _firstUs = _tickUs = _lastUs;
        bool isDue = _lastUs > _tickUs ? _lastUs - _tickUs >= TickUs : _requests - _tickRequest >= TickRequests;
        if (!isDue) return BlockAccessFlags.Begins;
        (_tickUs, _tickRequest) = (_lastUs, _requests);
        return BlockAccessFlags.Begins | BlockAccessFlags.Tick;
    }

    private void AddBlock(ulong block, BlockAccessFlags flags, long bytes)
    {
        int at = (int)(_accesses & ((1 << CompactTrace.ChunkBits) - 1));
        if (at == 0) _chunks.Add(NewChunk());
        if (_ids.IsFull) CheckMemory(_ids.NextMemoryBytes);
        uint number = _ids.NumberOf(block);
        if (number == _blocks.Length) Array.Resize(ref _blocks, _blocks.Length * 2);
        if (number == _ids.Count - 1) _blocks[number] = block;
        _chunks[^1][at] = new BlockAccess(number, flags, (bytes + SectorBytes - 1) / SectorBytes);
        _accesses++;
    }

    private BlockAccess[] NewChunk()
    {
        CheckMemory(0);
        return new BlockAccess[1 << CompactTrace.ChunkBits];
    }

    // An access has 8 bytes here and 4 where its next one is looked for; a block 12 in the table of numbers, 8 where
    // its home is kept, and 4 in each simulation under way.
    private void CheckMemory(long moreBytes)
    {
        const int accessBytes = 12, blockBytes = 24;
        long needed = ((_accesses + (1 << CompactTrace.ChunkBits)) * accessBytes) + (_ids.Count * (long)blockBytes)
            + moreBytes;
        if (needed <= _memoryBytesMax && _accesses < uint.MaxValue - (2u << CompactTrace.ChunkBits)) return;
        throw new UserErrorException($"the trace has more than {_accesses} accesses of {_ids.Count} blocks of "
            + $"{ByteSize.Format(_blockBytes)}: more than fits into memory ({ByteSize.Format(_memoryBytesMax)}); take "
            + "larger blocks (--block-size), or a part of it (--requests)");
    }

    private void NoteDevice(int device, long blocks)
    {
        while (_deviceBlocks.Count <= device) _deviceBlocks.Add(0);
        _deviceBlocks[device] = Math.Max(_deviceBlocks[device], blocks);
    }
}

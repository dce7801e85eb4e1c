using System;
using System.Collections.Concurrent;
using System.Threading;
using BenchmarkDotNet.Attributes;
using Weir.Core.Base;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;

namespace Weir.Bench.Kernels;

/// <summary>
/// An entry is written and published, for whoever seals the segment on any thread, and seen there; its 4 KiB apart.
/// </summary>
public unsafe class SegmentPublishBench
{
    private const int SegmentBytes = 1 << 20, Rams = 4, Slots = SegmentBytes / Geometry.BlockBytes;

    private readonly AlignedMemory _plain = new(Slots * (LogEntry.Bytes + sizeof(uint)));
    private readonly ConcurrentQueue<LogEntry> _queue = new();
    private RamSegments _ram = null!;
    private uint _next;

    /// <summary>Maps RAM segments.</summary>
    [GlobalSetup]
    public void Open()
    {
        Superblock superblock = Layout.Native.NewSuperblock(SegmentBytes, segmentCount: 64, Guid.NewGuid);
        _ram = RamSegments.Create(new HeapRamStore(), "bench", superblock, Rams);
    }

    /// <summary>Frees them.</summary>
    [GlobalCleanup]
    public void Dispose()
    {
        _ram.Dispose();
        _plain.Dispose();
    }

    /// <summary>Ours: the slot's stamp says which segment it was filled for.</summary>
    [Benchmark]
    public bool Kernel()
    {
        (int slot, int segment) = NextSlot();
        int ram = segment % Rams;
        *_ram.Entry(ram, slot) = LogEntry.ForData(_next, SectorMask.Full, _next);
        _ram.Publish(ram, slot, segment);
        return _ram.IsPublished(ram, slot, segment);
    }

    /// <summary>An array of entries and one of stamps, with nothing checked.</summary>
    [Benchmark(Baseline = true)]
    public bool ScalarStamp()
    {
        (int slot, int segment) = NextSlot();
        ((LogEntry*)(_plain.Pointer + (Slots * sizeof(uint))))[slot] =
            LogEntry.ForData(_next, SectorMask.Full, _next);
        uint* stamp = (uint*)_plain.Pointer + slot;
        Volatile.Write(ref *stamp, (uint)segment);
        return Volatile.Read(ref *stamp) == (uint)segment;
    }

    /// <summary>Through the library's queue.</summary>
    [Benchmark]
    public bool LibraryQueue()
    {
        _ = NextSlot();
        _queue.Enqueue(LogEntry.ForData(_next, SectorMask.Full, _next));
        return _queue.TryDequeue(out _);
    }

    private (int Slot, int Segment) NextSlot()
    {
        uint next = _next++;
        return ((int)(next % Slots), (int)(next / Slots) & 0xFFFFFF);
    }
}

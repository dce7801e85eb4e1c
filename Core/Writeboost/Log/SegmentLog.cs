using System;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Threading;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Log;

/// <summary>
/// The log: slots are reserved (Append), records closed and written in order (Seal), made durable (Commit), segments
/// opened and RAM segments given back (Open). Shared by all queue threads; each comes with its <see cref="LogPort"/>.
/// The path of a byte: reserve by one atomic add, copy, publish, count. No latch but at record and segment borders.
/// </summary>
/// <remarks>
/// A record's counter, at its header slot: writers add the slots they have filled; the closer adds
/// <see cref="Ready"/> minus the slots there are. Whoever brings it to exactly <see cref="Ready"/> has completed it and
/// seals.
/// </remarks>
public sealed unsafe partial class SegmentLog : IDisposable
{
    private const int Ready = 1 << 20;

    private readonly Superblock _superblock;
    private readonly Geometry _geometry;
    private readonly int* _counters;
    private readonly ushort* _recordEnds;
    private readonly int* _segmentEnds;
    private readonly Action _wakeQueues;
    private SegmentCursor _cursor;

    /// <summary>A log that goes on after <paramref name="end"/>.</summary>
    /// <param name="layout">How records are written.</param>
    /// <param name="superblock">With the epoch of this life.</param>
    /// <param name="geometry">Of the cache.</param>
    /// <param name="ram">Fresh RAM segments of this life.</param>
    /// <param name="table">What recovery put into the segments.</param>
    /// <param name="readers">Where readers of RAM stand.</param>
    /// <param name="health">Told when the cache device fails.</param>
    /// <param name="end">Where the log ends so far.</param>
    /// <param name="wakeQueues">Makes all queues look at their waiting requests.</param>
    public SegmentLog(
        Layout layout, in Superblock superblock, in Geometry geometry, RamSegments ram, SegmentTable table,
        ReaderEpoch readers, VolumeHealth health, in LogEnd end, Action wakeQueues)
    {
        Layout = layout;
        _superblock = superblock;
        _geometry = geometry;
        Ram = ram;
        Table = table;
        _readers = readers;
        Health = health;
        _wakeQueues = wakeQueues;
        int slots = ram.Count * geometry.SlotsPerSegment;
        _counters = (int*)NativeMemory.AllocZeroed((nuint)slots, sizeof(int));
        _recordEnds = (ushort*)NativeMemory.AllocZeroed((nuint)slots, sizeof(ushort));
        _segmentEnds = (int*)NativeMemory.AllocZeroed((nuint)ram.Count, sizeof(int));
        _free = new int[ram.Count];
        for (int i = 0; i < ram.Count; i++) _free[i] = ram.Count - 1 - i;
        _freeCount = ram.Count;
        _mostBytesInFlight = (long)Math.Max(2, ram.Count / 4) * geometry.SegmentBytes;
        _tracks = new Track[(int)BitOperations.RoundUpToPowerOf2((uint)(slots / 2) + (uint)ram.Count + 2)];
        StartAfter(end);
    }

    /// <summary>How records are written.</summary>
    public Layout Layout { get; }

    /// <summary>Geometry of the cache.</summary>
    public Geometry Geometry => _geometry;

    /// <summary>The RAM segments.</summary>
    public RamSegments Ram { get; }

    /// <summary>What the physical segments hold.</summary>
    public SegmentTable Table { get; }

    /// <summary>The volume's state.</summary>
    public VolumeHealth Health { get; }

    /// <summary>Position below which every slot has been reserved.</summary>
    public long ReservedEnd => _cursor.ReservedEnd(_geometry);

    /// <summary>As <see cref="SegmentCursor.Current"/>.</summary>
    public long CurrentSegment(out int taken) => _cursor.Current(_geometry, out taken);

    /// <summary>Segment that is open, or was last.</summary>
    public long HeadSegment => SegmentCursor.SegmentOf(_cursor.Load());

    /// <summary>Oldest segment in use: clean ones still serve reads.</summary>
    public long TailSegment => Volatile.Read(ref _tailSegment);

    /// <summary>Oldest segment that is not all on the backing device; beyond the head when everything is.</summary>
    public long DirtySegment => Volatile.Read(ref _dirtySegment);

    /// <summary>Position of the oldest slot that may not be on the backing device.</summary>
    public long DirtyPosition => Geometry.Position(DirtySegment, 0);

    /// <summary>Segments that could be opened before a clean one must be reclaimed.</summary>
    public long FreeSegments => Geometry.SegmentCount - (HeadSegment - TailSegment + 1);

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.Free(_counters);
        NativeMemory.Free(_recordEnds);
        NativeMemory.Free(_segmentEnds);
    }

    private void StartAfter(in LogEnd end)
    {
        long last = end.LastSegment;
        _cursor.Park(last, _geometry);
        (_tailSegment, _dirtySegment) = (end.OldestSegment, end.TailSegment);
        _sealSegment = _releaseSegment = last + 1;
        _nextSequence = end.NextSequence;
        _previousChecksum = end.PreviousChecksum;
        Ram.DurablePosition = Geometry.Position(last + 1, 0);
        _written = _durable = _wanted = Geometry.Position(last + 1, 0);
        _writtenRecord = _durableRecord = _sealedRecord = end.Position;
    }
}

/// <summary>Where a log ends: what recovery found and appending needs.</summary>
public struct LogEnd
{
    /// <summary>Position after the last record; the mark's when there is none.</summary>
    public long Position;
    /// <summary>Oldest segment whose data is not all on the backing device.</summary>
    public long TailSegment;
    /// <summary>Oldest segment that serves reads: the same, or one before it.</summary>
    public long OldestSegment;
    /// <summary>Newest segment in use; the one before the tail when there is none.</summary>
    public long LastSegment;
    /// <summary>Sequence of the next record.</summary>
    public long NextSequence;
    /// <summary>What the next header builds on.</summary>
    public uint PreviousChecksum;
    /// <summary>Checksum of the last header as it lies on the device; only layouts without epochs need it.</summary>
    public uint HeaderChecksum;
}

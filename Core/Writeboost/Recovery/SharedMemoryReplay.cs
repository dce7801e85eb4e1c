using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Recovery;

/// <summary>
/// Writes to the log what a life that died without a power cut had acknowledged and not yet written (R1): its published
/// slots behind the log's end, each at its own place, so that being cut short and started again does no harm.
/// Slots that never were published become void entries; nobody was told that they are kept. A segment that holds
/// nothing else, because only reads were staged there, gets a record with one of those when others follow: the scan
/// ends the log where a segment does not begin with a header.
/// </summary>
internal sealed unsafe class SharedMemoryReplay(
    Layout layout, Superblock superblock, Geometry geometry, RamSegments ram, BlockingIo io, DeviceQueue queue,
    Device cache, Replay replay) : IDisposable
{
    // What is to be written: in place, a record as it lies in memory; or a segment made of what was filled.
    private readonly List<(long Position, nint Header, int Slots)> _records = [];
    private readonly List<(RecordInfo Info, AlignedMemory Record)> _wholes = [];
    private long _sequence;
    private uint _checksum;
    private long _durable;

    /// <summary>Position after the last record.</summary>
    public long EndPosition { get; private set; }

    /// <summary>Sequence after the last record.</summary>
    public long NextSequence => _sequence;

    /// <summary>Checksum of the last header.</summary>
    public uint PreviousChecksum => _checksum;

    /// <summary>Checksum of the last header as it lies on the device; only layouts without epochs need it.</summary>
    public uint HeaderChecksum { get; private set; }

    /// <summary>The old life left something that the log does not have.</summary>
    public static bool HasWork(RamSegments ram, in Geometry geometry, long endPosition)
    {
        for (int i = 0; i < ram.Count; i++)
        {
            long segment = ram.SequenceOf(i);
            for (int slot = 0; slot < geometry.SlotsPerSegment; slot++)
                if (geometry.Position(segment, slot) >= endPosition && ram.IsPublished(i, slot, segment)) return true;
        }
        return false;
    }

    /// <summary>
    /// Goes on where <paramref name="scan"/> found the log's end, replays what it has not, and leaves the properties
    /// set. Writes nothing to any device (R12): the headers are made in memory, where a cut start makes them again.
    /// </summary>
    public void Read(ILogScan scan)
    {
        (EndPosition, _sequence, _checksum, _durable) =
            (scan.EndPosition, scan.NextSequence, scan.PreviousChecksum, scan.DurablePosition);
        SortedList<long, int> segments = [];
        for (int i = 0; i < ram.Count; i++)
            if (ram.SequenceOf(i) >= geometry.SegmentOf(EndPosition)) segments.Add(ram.SequenceOf(i), i);
        if (layout.HasManyRecords) FinishRecords(segments);
        else FinishWholes(segments);
        Invariant.Check(EndPosition >= scan.EndPosition);
        Invariant.Check(_sequence >= scan.NextSequence);
    }

    /// <summary>Returns when all of that is written. May be repeated, by another start too.</summary>
    public void Write()
    {
        int started = 0;
        foreach ((long position, nint header, int slots) in _records)
        {
            long length = (long)slots << Geometry.BlockShift;
            io.Start(queue, IoKind.Write, geometry.OffsetOf(position), (byte*)header, length);
            if (++started % HeaderStream.Depth == 0) io.WaitOrFail("writing the log", cache);
        }
        foreach ((RecordInfo info, AlignedMemory record) in _wholes)
        {
            ram.NoteSealed(geometry.SegmentOf(info.Position), layout.HeaderSum(record.Pointer));
            WriteWhole(record.Pointer, info);
        }
        io.WaitOrFail("writing the log", cache);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach ((_, AlignedMemory record) in _wholes) record.Dispose();
    }

    private void FinishRecords(SortedList<long, int> segments)
    {
        long last = 0;
        foreach ((long segment, int index) in segments)
            if (HasPublished(segment, index)) last = segment;
        foreach ((long segment, int index) in segments)
            if (segment <= last) FinishSegment(segment, index);
        // Where the log goes on, nothing that was acknowledged is left behind.
        Invariant.Check(last == 0 || EndPosition > geometry.Position(last, 0));
    }

    private bool HasPublished(long segment, int index)
    {
        for (int slot = 0; slot < geometry.SlotsPerSegment; slot++)
            if (ram.IsPublished(index, slot, segment)) return true;
        return false;
    }

    // Behind one that nobody filled to its end comes nothing: writers take slots in order.
    private void FinishWholes(SortedList<long, int> segments)
    {
        foreach ((long segment, int index) in segments)
            if (segment == geometry.SegmentOf(EndPosition)) FinishWhole(segment, index);
    }

    private void FinishSegment(long segment, int index)
    {
        int start = segment == geometry.SegmentOf(EndPosition) ? geometry.SlotOf(EndPosition) : 0;
        while (start < geometry.SlotsPerSegment)
        {
            int boundary = (start | (geometry.BoundarySlots - 1)) + 1;
            int end = boundary;
            int least = start == 0 ? 2 : start + 1;
            while (end > least && !ram.IsPublished(index, end - 1, segment)) end--;
            if (end > start + 1) FinishRecord(segment, index, start, end);
            start = boundary;
        }
    }

    private void FinishRecord(long segment, int index, int start, int end)
    {
        Invariant.Check(!ram.IsPublished(index, start, segment));
        Span<LogEntry> entries = stackalloc LogEntry[end - start - 1];
        for (int slot = start + 1; slot < end; slot++)
            entries[slot - start - 1] = ram.IsPublished(index, slot, segment) ? *ram.Entry(index, slot) : default;
        byte* header = ram.Data(index, start);
        RecordInfo info = new()
        {
            Position = geometry.Position(segment, start),
            Sequence = _sequence,
            EntryCount = entries.Length,
            DurablePosition = _durable,
            MarkPosition = superblock.MarkPosition,
            PreviousChecksum = _checksum,
        };
        Invariant.Check(info.Position >= EndPosition);
        // First: it refuses what cannot be.
        replay.Apply(info.Position, _sequence, entries);
        fixed (LogEntry* list = entries) _checksum = layout.WriteHeader(header, superblock, geometry, info, list);
        _records.Add((info.Position, (nint)header, end - start));
        _sequence++;
        EndPosition = info.EndPosition;
    }

    // These layouts have no word for a slot that was never filled: what was filled moves up, in order, in a buffer of
    // its own, so that the memory stays what it was until the whole log is written.
    private void FinishWhole(long segment, int index)
    {
        AlignedMemory record = new(geometry.SegmentBytes);
        LogEntry* entries = stackalloc LogEntry[RecordHeader.MaxEntries];
        RecordInfo info = new() { Position = geometry.Position(segment, 0), Sequence = segment };
        for (int slot = 1; slot < geometry.SlotsPerSegment; slot++)
        {
            if (!ram.IsPublished(index, slot, segment)) continue;
            entries[info.EntryCount++] = *ram.Entry(index, slot);
            byte* to = record.Pointer + ((long)info.EntryCount << Geometry.BlockShift);
            Buffer.MemoryCopy(ram.Data(index, slot), to, Geometry.BlockBytes, Geometry.BlockBytes);
        }
        Invariant.Check(info.Position >= EndPosition);
        Invariant.Check(info.EntryCount < geometry.SlotsPerSegment);
        _wholes.Add((info, record));
        replay.Apply(info.Position, segment, new ReadOnlySpan<LogEntry>(entries, info.EntryCount));
        layout.WriteHeader(record.Pointer, superblock, geometry, info, entries);
        HeaderChecksum = layout.HeaderSum(record.Pointer);
        _sequence = segment + 1;
        EndPosition = geometry.Position(segment + 1, 0);
    }

    private void WriteWhole(byte* record, in RecordInfo info)
    {
        long offset = geometry.OffsetOf(info.Position);
        long dataBytes = (long)info.EntryCount << Geometry.BlockShift;
        if (dataBytes > 0)
            io.Start(queue, IoKind.Write, offset + Geometry.BlockBytes, record + Geometry.BlockBytes, dataBytes);
        if (layout.WritesHeaderLast)
        {
            io.WaitOrFail("writing the log", cache);
            io.StartFlush(queue);
            io.WaitOrFail("flush", cache);
        }
        io.Start(queue, IoKind.Write, offset, record, Geometry.BlockBytes);
        io.WaitOrFail("writing the log", cache);
    }
}

using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Errors;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Recovery;

/// <summary>
/// Finds where the log ends and replays it (R4, R5). One pass over the segments' first headers, a
/// <see cref="HeaderStream"/>; the other records of a segment are read with it. Records that a later header says
/// were flushed are replayed at once; the few behind the last known D only after their data has been checked.
/// <see cref="Run"/> writes nothing to any device (R12).
/// </summary>
internal sealed unsafe class LogScan : ILogScan
{
    private readonly Superblock _superblock;
    private readonly Geometry _geometry;
    private readonly BlockingIo _io;
    private readonly DeviceQueue _queue;
    private readonly Device _cache;
    private readonly Replay _replay;
    private readonly AlignedMemory _segment;
    private readonly SegmentReader _reader;
    private readonly Queue<PendingRecord> _pending = new();
    private readonly List<PendingRecord> _unproven = [];
    private readonly long _epochStart;
    private long _epoch;
    private long _durable;
    private long _replayedEnd;

    /// <summary>A scan of <paramref name="cache"/> into <paramref name="replay"/>.</summary>
    public LogScan(
        in Superblock superblock, in Geometry geometry, BlockingIo io, DeviceQueue queue, Device cache, Replay replay)
    {
        _superblock = superblock;
        _geometry = geometry;
        _io = io;
        _queue = queue;
        _cache = cache;
        _replay = replay;
        _segment = new AlignedMemory(geometry.SegmentBytes);
        _reader = new SegmentReader(io, queue, geometry.SlotsPerSegment);
        _durable = Math.Max(superblock.SettledPosition, superblock.MarkPosition);
        _epochStart = geometry.Position(geometry.SegmentOf(_durable - 1) + 1, 0);
        NextSequence = superblock.MarkSequence;
        PreviousChecksum = superblock.MarkChecksum;
        EndPosition = _replayedEnd = superblock.MarkPosition;
    }

    /// <summary>Told how many headers have been read, now and then.</summary>
    public Action<string, long, long>? Progress { get; init; }

    /// <inheritdoc/>
    public long EndPosition { get; private set; }

    /// <inheritdoc/>
    public long NextSequence { get; private set; }

    /// <inheritdoc/>
    public uint PreviousChecksum { get; private set; }

    /// <summary>Largest D found: the end of records that had certainly been flushed.</summary>
    public long DurablePosition => _durable;

    /// <inheritdoc/>
    public long TailSegment => _geometry.SegmentOf(_superblock.MarkPosition);

    /// <inheritdoc/>
    public long EndSegment => EndPosition > _superblock.MarkPosition
        ? _geometry.SegmentOf(EndPosition - 1) : TailSegment - 1;

    /// <inheritdoc/>
    public uint EndHeaderChecksum => 0;

    /// <inheritdoc/>
    public int HeadersBehindEnd => 0;

    /// <inheritdoc/>
    public KnownBlocks? Known { get; set; }

    /// <inheritdoc/>
    public void Run()
    {
        long first = _geometry.SegmentOf(_superblock.MarkPosition);
        int count = CountToScan(first);
        bool broken = false;
        using HeaderStream headers = new(
            _io.Context, _queue, _cache, count,
            i => _geometry.OffsetOf(_geometry.Position(first + i, 0)));
        for (int i = 0; i < count; i++)
        {
            if (i % HeaderStream.Depth == 0) Progress?.Invoke("headers", i, count);
            RecordHeader* header = (RecordHeader*)headers.Next();
            if (broken || !TryAccept(header, _geometry.Position(first + i, 0)))
                broken = NoteBreak(header, first + i, broken);
            else WalkSegment(first + i, header->EntryCount + 1);
        }
        // All segments are in use: the break, if it is one, lies in the last.
        if (!broken && !_superblock.IsClean && _geometry.SlotOf(EndPosition) != 0)
            NoteHeadersOf(_geometry.SegmentOf(EndPosition), _geometry.SlotOf(EndPosition));
        CheckRot();
        ReplayPending();
        Invariant.Check(_pending.Count == 0);
        Invariant.Check(EndPosition >= _superblock.MarkPosition);
        Invariant.Check(NextSequence >= _superblock.MarkSequence);
    }

    // The headers say what was durable: Run has looked (CheckRot).
    /// <inheritdoc/>
    public void ProveDurable(SampleTable samples)
    {
    }

    /// <inheritdoc/>
    public void CheckEnd()
    {
    }

    /// <inheritdoc/>
    public void CheckEnd(RamSegments memory)
    {
    }

    // It was found by its epoch.
    /// <inheritdoc/>
    public bool IsLastLifes(RamSegments memory) => true;

    /// <inheritdoc/>
    public void Dispose() => _segment.Dispose();

    // An orderly stop has said where the log ends. After a crash any segment may say how far D had come.
    private int CountToScan(long first) => _superblock.IsClean
        ? (int)Math.Clamp(_geometry.SegmentOf(_superblock.SettledPosition - 1) - first + 1, 0, _geometry.SegmentCount)
        : _geometry.SegmentCount;

    // The other records of a segment: behind the one before, or at the next boundary if that stretch stayed empty.
    private void WalkSegment(long segment, int slot)
    {
        if (slot >= _geometry.SlotsPerSegment || HasAll) return;
        int error = TryReadSegment(segment, slot);
        while (slot < _geometry.SlotsPerSegment && !HasAll)
        {
            if (_reader.Unread.Has(slot)) throw Unreadable(error);
            RecordHeader* header = (RecordHeader*)(_segment.Pointer + ((long)slot << Geometry.BlockShift));
            slot = TryAccept(header, _geometry.Position(segment, slot))
                ? slot + 1 + header->EntryCount
                : (slot | (_geometry.BoundarySlots - 1)) + 1;
        }
    }

    // The last record before an orderly stop: nothing lies behind it, and nobody need be able to read that.
    private bool HasAll => _superblock.IsClean && NextSequence == _superblock.SettledSequence
        && PreviousChecksum == _superblock.SettledChecksum;

    // Of a block in the middle of a record only a client or write-back need hear.
    private int TryReadSegment(long segment, int slot)
    {
        byte* target = _segment.Pointer + ((long)slot << Geometry.BlockShift);
        return _reader.Read(_geometry.OffsetOf(_geometry.Position(segment, slot)), target, slot);
    }

    private void ReadSegment(long segment, int slot)
    {
        int error = TryReadSegment(segment, slot);
        if (error < 0) throw Unreadable(error);
    }

    private UserErrorException Unreadable(int error) =>
        new($"{_cache.Name}: reading the log failed: {Errno.Text(error)}");

    // The header continues the chain: next sequence, the checksum before it, and the life it can be from. What an
    // earlier life left behind the settled position is a stale tail, however well it fits (R4).
    private bool TryAccept(RecordHeader* header, long position)
    {
        if (!RecordHeader.IsValid(header, _superblock, position)) return false;
        NoteDurable(header);
        bool follows = header->Sequence == NextSequence && header->PreviousChecksum == PreviousChecksum
            && IsOfItsTime(header);
        if (!follows && !Mutant.Is(WriteboostMutant.R4ChainIgnored)) return false;
        // Known to be durable, as nearly all are: replayed from where it lies.
        bool settled = _pending.Count == 0 && header->EndPosition <= _durable;
        if (settled) Replay(position, header->Sequence, RecordHeader.EntriesOf(header));
        else _pending.Enqueue(new PendingRecord(header, PreviousChecksum));
        Invariant.Check(header->EndPosition > EndPosition);
        _epoch = header->Epoch;
        NextSequence = header->Sequence + 1;
        PreviousChecksum = header->Checksum;
        EndPosition = header->EndPosition;
        ReplayDurable();
        return true;
    }

    private bool IsOfItsTime(RecordHeader* header) =>
        header->Position < _superblock.SettledPosition
            ? header->Epoch >= _epoch && header->EndPosition <= _superblock.SettledPosition
            : header->Epoch == _superblock.Epoch && header->Position >= _epochStart;

    private void NoteDurable(RecordHeader* header) => _durable = Math.Max(_durable, header->DurablePosition);

    // The chain ends before this segment. Headers beyond still tell how far D had come (R5): all that lie in the
    // segment where the log ends, in the one where it should have gone on, and in later ones that were begun.
    private bool NoteBreak(RecordHeader* header, long segment, bool alreadyBroken)
    {
        bool valid = RecordHeader.IsValid(header, _superblock, _geometry.Position(segment, 0));
        if (alreadyBroken && valid) NoteHeadersOf(segment, 0);
        if (alreadyBroken) return true;
        long last = _geometry.SegmentOf(EndPosition);
        if (last < segment) NoteHeadersOf(last, _geometry.SlotOf(EndPosition));
        NoteHeadersOf(segment, 0);
        return true;
    }

    private void NoteHeadersOf(long segment, int slot)
    {
        ReadSegment(segment, slot);
        for (; slot < _geometry.SlotsPerSegment; slot++)
        {
            RecordHeader* header = (RecordHeader*)(_segment.Pointer + ((long)slot << Geometry.BlockShift));
            if (RecordHeader.IsValid(header, _superblock, _geometry.Position(segment, slot))) NoteDurable(header);
        }
    }

    private void ReplayDurable()
    {
        while (_pending.TryPeek(out PendingRecord? record) && record.EndPosition <= _durable)
            Replay(_pending.Dequeue());
    }

    private void Replay(PendingRecord record) => Replay(record.Position, record.Sequence, record.Entries);

    private void Replay(long position, long sequence, ReadOnlySpan<LogEntry> entries)
    {
        _replay.Apply(position, sequence, entries);
        _replayedEnd = position + 1 + entries.Length;
    }

    // R5: nothing that was flushed may be missing. What is damaged at or below D is rot, not a torn write.
    private void CheckRot()
    {
        if (EndPosition >= _durable || Mutant.Is(WriteboostMutant.R5RotIsTorn)) return;
        throw new UserErrorException(
            $"{_cache.Name}: log record {NextSequence} in segment {_geometry.SegmentOf(EndPosition)} is damaged "
                + $"although it had been "
            + $"flushed (log ends at position {EndPosition}, flushed up to {_durable}); not serving");
    }

    // Behind D a record may be torn: it counts only with all its data, and nothing counts behind one that does not.
    private void ReplayPending()
    {
        ReplayDurable();
        while (_pending.TryDequeue(out PendingRecord? record))
        {
            if (Mutant.Is(WriteboostMutant.R5TornReplayed) || IsWhole(record))
            {
                Replay(record);
                _unproven.Add(record);
                continue;
            }
            // Where the record before ends: a torn one may have begun a segment of its own.
            EndPosition = _replayedEnd;
            NextSequence = record.Sequence;
            PreviousChecksum = record.PreviousChecksum;
            _pending.Clear();
        }
        // What counts and what was entered are the same.
        Invariant.Check(_replayedEnd == EndPosition);
    }

    /// <summary>
    /// Writes the replayed records beyond D once more, in place, unchanged: the device may show them and have forgotten
    /// them in a flush that failed in the life before (R6). The start's flush then covers them.
    /// </summary>
    public void RewriteUnproven(long durablePosition)
    {
        if (Mutant.Is(WriteboostMutant.R6UnprovenTrusted)) return;
        foreach (PendingRecord record in _unproven)
        {
            Invariant.Check(record.EndPosition <= EndPosition);
            long offset = _geometry.OffsetOf(record.Position);
            long length = (record.EndPosition - record.Position) << Geometry.BlockShift;
            _io.Start(_queue, IoKind.Read, offset, _segment.Pointer, length);
            _io.WaitOrFail("reading the log", _cache);
            _io.Start(_queue, IoKind.Write, offset, _segment.Pointer, length);
            _io.WaitOrFail("writing the log", _cache);
        }
    }

    /// <inheritdoc/>
    public void EraseStaleTail(long endPosition) =>
        StaleTail.Erase(endPosition, _superblock, _geometry, _io, _queue, _cache);

    private bool IsWhole(PendingRecord record)
    {
        long length = (long)record.Entries.Length << Geometry.BlockShift;
        _io.Start(_queue, IoKind.Read, _geometry.OffsetOf(record.Position + 1), _segment.Pointer, length);
        _io.WaitOrFail("reading the log", _cache);
        for (int i = 0; i < record.Entries.Length; i++)
        {
            byte* data = _segment.Pointer + ((long)i << Geometry.BlockShift);
            if (record.Entries[i].Kind == EntryKind.Data
                && BlockSum.Compute(data) != record.Entries[i].Value)
                return false;
        }
        return true;
    }
}

/// <summary>A record whose header is in the chain and whose data has not been judged yet.</summary>
internal sealed unsafe class PendingRecord
{
    /// <summary>Takes what counts from <paramref name="header"/>.</summary>
    public PendingRecord(RecordHeader* header, uint previousChecksum)
    {
        Position = header->Position;
        Sequence = header->Sequence;
        PreviousChecksum = previousChecksum;
        Entries = RecordHeader.EntriesOf(header).ToArray();
    }

    /// <summary>Where its header lies.</summary>
    public long Position { get; }

    /// <summary>Its number.</summary>
    public long Sequence { get; }

    /// <summary>Checksum of the header before it.</summary>
    public uint PreviousChecksum { get; }

    /// <summary>What its slots hold.</summary>
    public LogEntry[] Entries { get; }

    /// <summary>Position after it.</summary>
    public long EndPosition => Position + 1 + Entries.Length;
}

using System.Threading;
using Weir.Core.Base;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Log;

/// <content>
/// Completed records get their header, in log order because each carries the checksum of the one before, and are
/// written. A quarter of the RAM segments is on the way to the device at a time: more would not make it faster, and a
/// flush has to wait for all of it while the writers fill the rest. Fields here belong to the holder of the seal latch.
/// A thread that finds the latch taken leaves: the holder looks again after it has let go.
/// </content>
public sealed unsafe partial class SegmentLog
{
    private SpinLatch _seal;
    private long _sealSegment;
    private int _sealSlot;
    private long _nextSequence;
    private uint _previousChecksum;
    private long _sealedRecord;
    private long _bytesInFlight;   // of record writes; atomic adds by all
    private readonly long _mostBytesInFlight;

    /// <summary>Records sealed so far in this life.</summary>
    public long RecordsWritten { get; private set; }

    /// <summary>Bytes sent to the log in this life, headers included.</summary>
    public long BytesWritten { get; private set; }

    /// <summary>The sequence and checksum that the next record builds on; the log is quiet.</summary>
    public (long NextSequence, uint PreviousChecksum) Chain => (_nextSequence, _previousChecksum);

    /// <summary>Seals every record that is complete and next in order.</summary>
    public void Seal(LogPort port)
    {
        do
        {
            if (!CanWrite(port) || !_seal.TryEnter()) return;
            Interleaving.Step();
            while (CanWrite(port) && SealNext(port)) { }
            Interleaving.Step();
            _seal.Exit();
        }
        while (IsNextReady() && !Mutant.Is(WriteboostMutant.R6SealNotRechecked));
    }

    // Whoever finds the way full leaves: the end of a write lowers the count and then seals. Both sides change what the
    // other looks at by a full fence first.
    private bool CanWrite(LogPort port) => port.HasRoom()
        && (Volatile.Read(ref _bytesInFlight) < _mostBytesInFlight || Health.CacheHasFailed);

    /// <summary>A record write begins (positive) or has ended (negative); by the port.</summary>
    public void CountInFlight(long bytes) => Interlocked.Add(ref _bytesInFlight, bytes);

    private bool IsNextReady()
    {
        // Without the latch: another holder may be at work. True at worst makes the caller look once more.
        int ram = SealRam();
        int slot = Volatile.Read(ref _sealSlot);
        if (ram < 0) return false;
        return slot >= Volatile.Read(ref _segmentEnds[ram]) || Volatile.Read(ref *CounterAt(ram, slot)) == Ready;
    }

    private int SealRam()
    {
        int physical = Geometry.Physical(_sealSegment);
        return Table.SequenceOf(physical) == _sealSegment ? Table.RamOf(physical) : -1;
    }

    private bool SealNext(LogPort port)
    {
        int ram = SealRam();
        if (ram < 0) return false;
        if (_sealSlot >= Volatile.Read(ref _segmentEnds[ram]))
        {
            LeaveSegment(port);
            return true;
        }
        if (Volatile.Read(ref *CounterAt(ram, _sealSlot)) != Ready) return false;
        Interleaving.Step();
        int start = _sealSlot;
        int end = _recordEnds[(ram * Geometry.SlotsPerSegment) + start];
        _sealSlot = end;
        if (end > start + 1) WriteRecord(port, ram, start, end);
        // At once: when the record is durable, RAM may let the segment go, and nobody would come to its end.
        if (end >= Volatile.Read(ref _segmentEnds[ram])) LeaveSegment(port);
        return true;
    }

    // Nothing more comes in this segment: its end counts as written as soon as its last record is.
    private void LeaveSegment(LogPort port)
    {
        // A scan ends where a segment has no header: after an empty one nothing may follow.
        Invariant.Check(_sealSlot > 0 || Health.CacheHasFailed);
        long track = AddTrack(Geometry.Position(_sealSegment + 1, 0), _sealedRecord, 0);
        _sealSegment++;
        _sealSlot = 0;
        WriteDone(port, track, 0);
    }

    private void WriteRecord(LogPort port, int ram, int start, int end)
    {
        byte* header = Ram.Data(ram, start);
        RecordInfo info = new()
        {
            Position = Geometry.Position(_sealSegment, start),
            Sequence = _nextSequence++,
            EntryCount = end - start - 1,
            DurablePosition = DurableRecord,
            MarkPosition = Geometry.Position(DirtySegment, 0),
            PreviousChecksum = _previousChecksum,
        };
        _previousChecksum =
            Layout.WriteHeader(header, _superblock, _geometry, info, Ram.Entry(ram, start + 1));
        if (!Layout.HasEpochs) Ram.NoteSealed(info.Sequence, Layout.HeaderSum(header));
        _sealedRecord = info.EndPosition;
        Table.SetLastRecord(Geometry.Physical(_sealSegment), info.Sequence);
        RecordsWritten++;
        long length = (long)(end - start) << Geometry.BlockShift;
        BytesWritten += length;
        if (Layout.WritesHeaderLast && !Mutant.Is(WriteboostMutant.R5HeaderFirst))
        {
            WriteData(port, info, header, length - Geometry.BlockBytes);
            return;
        }
        long track = AddRecord(length, port.CanWriteDurably, out bool alone);
        port.Write(Geometry.OffsetOf(info.Position), header, length, track, alone);
    }

    // The header follows when the data is durable (Commit).
    private void WriteData(LogPort port, in RecordInfo info, byte* header, long length)
    {
        long track = AddTrack(_sealedRecord, _sealedRecord, length);
        if (length == 0) WriteDone(port, track, 0);
        else port.Write(Geometry.OffsetOf(info.Position + 1), header + Geometry.BlockBytes, length, track, false);
    }
}

using System.Threading;
using Weir.Core.Base;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Format;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Log;

/// <content>
/// From written to durable: group commit (R6). One commit at a time: close the open record, wait until everything below
/// the target is written, flush the device, and D is what had been written when that flush was submitted. Flushes that
/// arrive meanwhile raise <c>_wanted</c> and share the next commit. Fields belong to the holder of the commit latch,
/// D is read by all.
/// Every flush of the cache device goes through here, the superblock's too: never are two under way, so none succeeds
/// beside one that fails. When one fails, the device may have dropped any write since D (SegmentLog.Rewrite).
/// </content>
public sealed unsafe partial class SegmentLog
{
    private readonly Track[] _tracks;
    private SpinLatch _commit;
    private long _trackHead;      // under _seal
    private long _trackTail;      // under _commit, as all below
    private long _trackDurable;   // records of tracks below are durable
    private long _written;        // every record that ends at or below is written, no gap
    private long _writtenRecord;  // end of the last of them
    private long _durable;        // D
    private long _durableRecord;  // end of the last record at or below D
    private long _wanted;         // somebody waits for this position to be durable
    private long _target;         // the running commit's
    private bool _committing;
    private bool _flushing;
    private long _headerSegment;  // headers still to write in the running commit: these segments
    private long _headerEnd;
    private int _headersInFlight;
    private bool _headersFlushing;
    private long _flushCovers;
    private long _flushCoversRecord;
    private long _flushCoversTrack;
    private long _flushNumber;    // commits that came to their flush
    private long _flushWanted;    // somebody waits for this one, whatever the log holds
    private long _flushDone;      // the last that succeeded
    private long _aloneWrites;    // commits that needed no flush
    private bool _writesDurably = true; // until one has failed

    /// <summary>D: everything below this position is durable.</summary>
    public long Durable => Volatile.Read(ref _durable);

    /// <summary>End of the last record at or below D: what headers carry.</summary>
    public long DurableRecord => Volatile.Read(ref _durableRecord);

    /// <summary>Everything below this position is on the device, durable or not.</summary>
    public long Written => Volatile.Read(ref _written);

    /// <summary>Commits in this life whose one write was durable by itself.</summary>
    public long DurableWriteCount => Volatile.Read(ref _aloneWrites);

    /// <summary>No such write has failed in this life: that device is asked for more of them.</summary>
    public bool WritesDurably => Volatile.Read(ref _writesDurably);

    /// <summary>Device flushes of the log in this life.</summary>
    public long FlushCount => Volatile.Read(ref _flushNumber);

    /// <summary>No record is on its way and no flush: only a hint, taken without the latch.</summary>
    public bool IsIdle =>
        !Volatile.Read(ref _committing) && Volatile.Read(ref _trackHead) == Volatile.Read(ref _trackTail);

    /// <summary>
    /// Wants everything below <paramref name="position"/> durable, soon; the queues are woken when it is.
    /// </summary>
    public void RequestDurable(LogPort port, long position)
    {
        _commit.Enter();
        if (position > _wanted) _wanted = position;
        bool start = !_committing && _wanted > _durable && !Health.CacheHasFailed;
        if (start)
        {
            _committing = true;
            _target = long.MaxValue;
        }
        long wanted = _wanted;
        _commit.Exit();
        Interleaving.Step();
        if (start) StartCommit(port, wanted);
    }

    /// <summary>
    /// Wants the cache device flushed, for what was written there beside the log; see <see cref="IsFlushed"/>. The
    /// queues are woken when it is done, or has failed.
    /// </summary>
    public long RequestFlush(LogPort port)
    {
        _commit.Enter();
        long ticket = _flushWanted = _flushNumber + 1;
        bool start = !_committing;
        if (start)
        {
            _committing = true;
            _target = _durable;
        }
        _commit.Exit();
        if (start) TryFlush(port);
        return ticket;
    }

    /// <summary>The flush that <see cref="RequestFlush"/> gave the number of, or a later one, has succeeded.</summary>
    public bool IsFlushed(long ticket) => Volatile.Read(ref _flushDone) >= ticket;

    /// <summary>Submits the device flush of the running commit when its records are written.</summary>
    public void TryFlush(LogPort port)
    {
        WriteHeaders(port);
        _commit.Enter();
        bool ready = _written >= _target
            || (Mutant.Is(WriteboostMutant.R6FlushBeforeWritten) && _target != long.MaxValue);
        ready &= !IsAloneUnderWay;
        bool go = _committing && !_flushing && ready && !Health.CacheHasFailed && port.HasRoom();
        bool isDurable = go && IsAloneWritten;
        if (go)
        {
            _flushing = true;
            _flushCovers = Mutant.Is(WriteboostMutant.R6FlushBeforeWritten) ? _target : _written;
            _flushCoversRecord = _writtenRecord;
            _flushCoversTrack = _trackTail;
            if (isDurable) _aloneWrites++;
            else _flushNumber++;
        }
        _commit.Exit();
        if (!go) return;
        Interleaving.Step();
        if (isDurable)
        {
            EndCommit(port, isFlushed: false);
            return;
        }
        port.Flush();
        if (Mutant.Is(WriteboostMutant.R6AckBeforeFlush)) Advance();
    }

    /// <summary>A record write has ended. Called by the port.</summary>
    public void WriteDone(LogPort port, long track, int result)
    {
        if (result < 0 && !Mutant.Is(WriteboostMutant.R6WriteErrorIgnored))
        {
            Health.Worsen(VolumeState.Failed, $"cache device: log writes fail: {Errno.Text(result)}");
            _wakeQueues();
            return;
        }
        _commit.Enter();
        Interleaving.Step();
        ref Track done = ref TrackAt(track);
        bool again = done.Again;
        (done.Again, done.Done) = (false, !again);
        if (again) WriteAgain(port, track);
        else PassDone();
        _commit.Exit();
        TryFlush(port);
    }

    /// <summary>The device flush has ended. Called by the port.</summary>
    public void FlushDone(LogPort port, int result)
    {
        if (result < 0 && !Mutant.Is(WriteboostMutant.R6FlushErrorIgnored))
        {
            FlushFailed(port, result, ofFlush: true);
            return;
        }
        if (Layout.WritesHeaderLast && !_headersFlushing)
        {
            BeginHeaders(port);
            return;
        }
        EndCommit(port, isFlushed: true);
    }

    private void EndCommit(LogPort port, bool isFlushed)
    {
        _commit.Enter();
        _headersFlushing = false;
        _headersInFlight = 0;
        Advance();
        if (isFlushed) Volatile.Write(ref _flushDone, _flushNumber);
        _flushAttempts = 0;
        _committing = _flushing = false;
        long wanted = _wanted;
        bool again = wanted > _durable;
        bool flushAgain = _flushWanted > _flushNumber;
        _commit.Exit();
        Interleaving.Step();
        ReleaseDurable();
        _wakeQueues();
        if (again) RequestDurable(port, wanted);
        else if (flushAgain) RequestFlush(port);
    }

    /// <summary>A header write has ended. Called by the port.</summary>
    public void HeaderDone(LogPort port, int result)
    {
        if (result < 0 && !Mutant.Is(WriteboostMutant.R6WriteErrorIgnored))
        {
            Health.Worsen(VolumeState.Failed, $"cache device: log writes fail: {Errno.Text(result)}");
            _wakeQueues();
            return;
        }
        _commit.Enter();
        _headersInFlight--;
        _commit.Exit();
        WriteHeaders(port);
    }

    // The data of these segments is durable now: their headers may say so. Each has one record.
    private void BeginHeaders(LogPort port)
    {
        _commit.Enter();
        long first = Geometry.SegmentOf(_durable);
        _headerSegment = Geometry.SlotOf(_durable) == 0 ? first : first + 1;
        _headerEnd = Geometry.SegmentOf(_flushCoversRecord - 1) + 1;
        _headersFlushing = true;
        _commit.Exit();
        WriteHeaders(port);
    }

    // As many as there is room for; behind the last one the second flush of the commit. The flag _headersFlushing lets
    // one thread in at a time: the one whose flush or header write has just come back, or that had no room before.
    private void WriteHeaders(LogPort port)
    {
        if (!Layout.WritesHeaderLast) return;
        _commit.Enter();
        while (_headersFlushing && _headerSegment < _headerEnd && port.HasRoom())
        {
            long segment = _headerSegment++;
            _headersInFlight++;
            byte* header = Ram.Data(Table.RamOf(Geometry.Physical(segment)), 0);
            port.WriteHeader(Geometry.OffsetOf(Geometry.Position(segment, 0)), header);
        }
        bool flush = _headersFlushing && _headerSegment == _headerEnd && _headersInFlight == 0 && port.HasRoom();
        if (flush) _headersInFlight = -1;
        _commit.Exit();
        if (flush) port.Flush();
    }

    // Moves "written" over the tracks that are done, up to the first that is not.
    private void PassDone()
    {
        while (_trackTail < Volatile.Read(ref _trackHead) && TrackAt(_trackTail).Done)
        {
            ref Track done = ref TrackAt(_trackTail++);
            Volatile.Write(ref _written, done.End);
            _writtenRecord = done.RecordEnd;
        }
    }

    private void Advance()
    {
        Invariant.Check(_flushCoversRecord >= _durableRecord);
        Invariant.Check(_flushCovers >= _durable);
        _trackDurable = _flushCoversTrack;
        Volatile.Write(ref _durableRecord, _flushCoversRecord);
        Volatile.Write(ref _durable, _flushCovers);
        Ram.DurablePosition = _flushCovers;
    }

    private void StartCommit(LogPort port, long wanted)
    {
        long target = wanted > _cursor.OpenRecord(_geometry) ? CloseOpenRecord(port) : wanted;
        Interleaving.Step();
        _commit.Enter();
        _target = target;
        _commit.Exit();
        TryFlush(port);
    }

    private ref Track TrackAt(long track) => ref _tracks[track & (_tracks.Length - 1)];

    // The record that has just been sealed. Alone: it is the only one that is not durable, and a commit is running.
    // Then its write does what a write and a flush would do, one after the other. Not while a flush of others' is under
    // way, so that none succeeds beside one that fails; nor while somebody waits for a flush, which this is not.
    private long AddRecord(long lengthBytes, bool canBeAlone, out bool alone)
    {
        _commit.Enter();
        bool isAlone = _trackDurable == _trackHead || Mutant.Is(WriteboostMutant.R6NotAlone);
        bool isEnough = !_flushing && _flushWanted <= _flushNumber;
        alone = canBeAlone && _writesDurably && _committing && isEnough && isAlone;
        long track = AddTrack(_sealedRecord, _sealedRecord, lengthBytes);
        TrackAt(track).Alone = alone;
        _commit.Exit();
        return track;
    }

    private bool IsAloneUnderWay =>
        _trackDurable < Volatile.Read(ref _trackHead) && TrackAt(_trackDurable) is { Alone: true, Done: false };

    // Nothing but that record, and perhaps the end of its segment, would be covered by a flush.
    private bool IsAloneWritten
    {
        get
        {
            long written = _trackTail - _trackDurable;
            if (Mutant.Is(WriteboostMutant.R6NotAlone) && written > 0 && TrackAt(_trackTail - 1).Alone) return true;
            bool isOne = written == 1 || (written == 2 && TrackAt(_trackDurable + 1).LengthBytes == 0);
            return isOne && TrackAt(_trackDurable).Alone;
        }
    }

    private long AddTrack(long end, long recordEnd, long lengthBytes)
    {
        long track = _trackHead;
        Invariant.Check(track - Volatile.Read(ref _trackDurable) < _tracks.Length);
        TrackAt(track) = new Track { End = end, RecordEnd = recordEnd, LengthBytes = lengthBytes };
        Volatile.Write(ref _trackHead, track + 1);
        return track;
    }

    private struct Track
    {
        public long End;
        public long RecordEnd;
        public long LengthBytes; // the last of the record's bytes, as written at first; 0 when nothing was
        public bool Done;
        public bool Alone;       // durable when it is done
        public bool Again;       // a flush failed while it was on its way
        public bool Lost;        // a flush failed after it: waits for its turn to be written again
    }
}

using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Recovery;

/// <summary>
/// The scan for the kernel's layouts. First every header, as a <see cref="HeaderStream"/>, for its id alone;
/// then, in order from the oldest id behind the mark, each record, with its data where a checksum covers it. The log
/// ends before the first that is missing or not whole. The module's own mark is 0 when it was told to record none:
/// then everything that is there counts, the newer over the older.
/// </summary>
internal sealed unsafe class SegmentScan : ILogScan
{
    private const int SegmentsAtATime = 8;
    private const long MaxId = 1L << 40;

    /// <summary>A life has at most so many segments that no flush covers: its RAM segments.</summary>
    public const int MaxUnproven = 64;

    private readonly SegmentLayout _layout;
    private readonly Superblock _superblock;
    private readonly Geometry _geometry;
    private readonly BlockingIo _io;
    private readonly DeviceQueue _queue;
    private readonly Device _cache;
    private readonly Replay _replay;
    private readonly bool _readsData;
    private readonly long[] _ids;
    private readonly bool[] _isSpoilt;
    private readonly AlignedMemory _memory;
    private bool _hasOnlyHeader;

    /// <summary>
    /// A scan of <paramref name="cache"/> into <paramref name="replay"/>; with <paramref name="readsData"/> the data is
    /// read, and every block gets a checksum, also where no checksum on the device needs it.
    /// </summary>
    public SegmentScan(
        SegmentLayout layout, in Superblock superblock, in Geometry geometry, BlockingIo io, DeviceQueue queue,
        Device cache, Replay replay, bool readsData)
    {
        _readsData = readsData || !layout.WritesHeaderLast;
        _layout = layout;
        _superblock = superblock;
        _geometry = geometry;
        _io = io;
        _queue = queue;
        _cache = cache;
        _replay = replay;
        (_ids, _isSpoilt) = (new long[geometry.SegmentCount], new bool[geometry.SegmentCount]);
        int bytesAtATime = _readsData ? SegmentsAtATime * geometry.SegmentBytes : geometry.SegmentBytes;
        _memory = new AlignedMemory(Math.Max(HeaderStream.Depth << Geometry.BlockShift, bytesAtATime));
        TailSegment = superblock.MarkSequence;
        EndSegment = TailSegment - 1;
    }

    /// <inheritdoc/>
    public KnownBlocks? Known { get; set; }

    /// <summary>All segments up to this one were durable, as something that outlived them says.</summary>
    public long DurableSegment { get; private set; }

    /// <summary>Told how far it has come, now and then.</summary>
    public Action<string, long, long>? Progress { get; init; }

    /// <inheritdoc/>
    public long EndPosition => _geometry.Position(EndSegment + 1, 0);

    /// <inheritdoc/>
    public long NextSequence => EndSegment + 1;

    /// <inheritdoc/>
    public uint PreviousChecksum => 0;

    /// <inheritdoc/>
    public long DurablePosition => 0;

    /// <inheritdoc/>
    public long TailSegment { get; private set; }

    /// <inheritdoc/>
    public long EndSegment { get; private set; }

    /// <inheritdoc/>
    public uint EndHeaderChecksum { get; private set; }

    /// <inheritdoc/>
    public void Run()
    {
        ReadIds();
        Known?.Begin(NewestSegment, LastBegun, _geometry.SegmentCount,
            _layout.WritesHeaderLast ? LastBegun - _geometry.SegmentCount : 0);
        TailSegment = FindTail();
        EndSegment = TailSegment - 1;
        long mark = Math.Min(_superblock.MarkSequence, TailSegment) - 1;
        Invariant.Check(TailSegment > 0);
        ReplayChain();
        Invariant.Check(EndSegment >= TailSegment - 1);
        Invariant.Check(EndSegment - TailSegment < _geometry.SegmentCount);
        if (Known != null) CollectKnown(Known, mark);
        EndHeaderChecksum = HeaderChecksumOf(EndSegment);
    }

    // What a power cut left, or all that lies behind a segment that has rotted: the more, the likelier the second.
    /// <inheritdoc/>
    public int HeadersBehindEnd
    {
        get
        {
            int count = 0;
            for (int physical = 0; physical < _ids.Length; physical++)
                if (_ids[physical] > EndSegment && Holds(_ids[physical])) count++;
            return count;
        }
    }

    /// <summary>
    /// Data of segments up to this one may have been written over what lies there, though no header says so: those that
    /// a life has in RAM at most when it ends, behind the newest header.
    /// </summary>
    private long LastBegun => NewestSegment + Math.Min(MaxUnproven, Math.Max(2, _geometry.SegmentCount - 2));

    /// <summary>The highest id that a header has; 0 without one.</summary>
    private long NewestSegment
    {
        get
        {
            long newest = 0;
            foreach (long id in _ids) newest = Math.Max(newest, id);
            return newest;
        }
    }

    /// <summary>
    /// All segments up to <paramref name="segment"/> were durable: <see cref="CheckEnd()"/> refuses a log that ends
    /// before it.
    /// </summary>
    public void ProveDurable(long segment) => DurableSegment = Math.Max(DurableSegment, segment);

    /// <inheritdoc/>
    public void ProveDurable(SampleTable samples)
    {
        if (samples.IsOfLog(_superblock.MarkSequence - 1, NewestSegment)) ProveDurable(samples.DurableSegment);
    }

    /// <inheritdoc/>
    public void CheckEnd(RamSegments memory)
    {
        if (memory.DurablePosition == 0 || HeadersBehindEnd == 0) return;
        ProveDurable(_geometry.SegmentOf(memory.DurablePosition - 1));
        CheckEnd();
    }

    /// <inheritdoc/>
    public void CheckEnd()
    {
        if (EndSegment >= DurableSegment || Mutant.Is(WriteboostMutant.R5RotIsTorn)) return;
        throw new UserErrorException($"{_cache.Name}: segment {EndSegment + 1} of the log is rotten or gone: all up to "
            + $"segment {DurableSegment} had been flushed, and would be lost with it; not serving: "
            + $"'weir repair --layout {_layout.Name}' says what can be kept");
    }

    /// <inheritdoc/>
    public bool IsLastLifes(RamSegments memory) => memory.HasSealed(EndSegment, EndHeaderChecksum);

    /// <inheritdoc/>
    public void RewriteUnproven(long durablePosition)
    {
        if (Mutant.Is(WriteboostMutant.R6UnprovenTrusted)) return;
        long oldest = Math.Max(TailSegment, EndSegment + 1 - MaxUnproven);
        long first = Math.Max(_geometry.SegmentOf(durablePosition), oldest);
        for (long segment = first; segment <= EndSegment; segment++)
        {
            long offset = _geometry.OffsetOf(_geometry.Position(segment, 0));
            _io.Start(_queue, IoKind.Read, offset, _memory.Pointer, _geometry.SegmentBytes);
            _io.WaitOrFail("reading the log", _cache);
            WriteInOrder(offset);
        }
    }

    /// <inheritdoc/>
    public void EraseStaleTail(long endPosition)
    {
        if (Mutant.Is(WriteboostMutant.R4FutureKept)) return;
        // Memory may have had more than the log; never less counts than was found.
        Invariant.Check(endPosition >= EndPosition);
        new Span<byte>(_memory.Pointer, Geometry.BlockBytes).Clear();
        long end = _geometry.SegmentOf(endPosition - 1);
        for (int physical = 0; physical < _ids.Length; physical++)
        {
            // What reads ids as they are, without the seal, shall not take a rotten one for the newest.
            if (_ids[physical] >= 0 && _ids[physical] <= end && !_isSpoilt[physical]) continue;
            long offset = Geometry.OffsetOfPhysical((uint)physical << _geometry.SlotShift);
            _io.Start(_queue, IoKind.Write, offset, _memory.Pointer, Geometry.BlockBytes);
            _io.WaitOrFail("writing the log", _cache);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _memory.Dispose();

    // Where data vouches for the header, not the other way round, it goes first again.
    private void WriteInOrder(long offset)
    {
        byte* data = _memory.Pointer + Geometry.BlockBytes;
        long dataBytes = _geometry.SegmentBytes - Geometry.BlockBytes;
        _io.Start(_queue, IoKind.Write, offset + Geometry.BlockBytes, data, dataBytes);
        _io.WaitOrFail("writing the log", _cache);
        if (_layout.WritesHeaderLast) _io.StartFlush(_queue);
        _io.WaitOrFail("flush", _cache);
        _io.Start(_queue, IoKind.Write, offset, _memory.Pointer, Geometry.BlockBytes);
        _io.WaitOrFail("writing the log", _cache);
    }

    private void ReadIds()
    {
        using HeaderStream headers = new(
            _io.Context, _queue, _cache, _ids.Length,
            physical => Geometry.OffsetOfPhysical((uint)physical << _geometry.SlotShift));
        for (int physical = 0; physical < _ids.Length; physical++)
        {
            if (physical % HeaderStream.Depth == 0) Progress?.Invoke("headers", physical, _ids.Length);
            byte* header = headers.Next();
            long spoilt = _layout.SpoiltId(header);
            _isSpoilt[physical] = spoilt != 0;
            _ids[physical] = spoilt != 0 ? spoilt : SegmentLayout.IdOf(header);
            NoteHeader(header, physical);
        }
    }

    // A header that a later one has sealed as durable was there, and so was its data.
    private void NoteHeader(byte* header, int physical)
    {
        long id = _ids[physical];
        if (id is <= 0 or > MaxId || _geometry.Physical(id) != physical || _isSpoilt[physical]) return;
        long position = _geometry.Position(id, 0);
        if (!_layout.TryReadUnsealed(header, _geometry, position, out RecordInfo info)) return;
        if (_layout.TryReadSeal(header, out SegmentSeal seal)) ProveDurable(Math.Min(id, seal.DurableSegment));
        if (Known?.IsNewerThanSamples(id) != true) return;
        LogEntry* entries = stackalloc LogEntry[RecordHeader.MaxEntries];
        _layout.ReadEntries(header, info, entries);
        Known.NoteHeader(new ReadOnlySpan<LogEntry>(entries, info.EntryCount));
    }

    private void Start(long offset, int place, int lengthBytes) => _io.Start(
        _queue, IoKind.Read, offset, _memory.Pointer + ((long)place * lengthBytes), lengthBytes);

    private bool Holds(long segment) => segment > 0 && _ids[_geometry.Physical(segment)] == segment;

    // The log begins behind the mark, or one round before its newest id when the mark is older than that. There the
    // record that was to come next may have begun to overwrite what had been written back.
    private long FindTail()
    {
        long mark = _superblock.MarkSequence - 1;
        if (mark >= 0 && Holds(mark + 1)) return mark + 1;
        long newest = FindNewest();
        if (mark < 0 || mark > newest) throw Damaged($"segment {mark} is said to be written back");
        long tail = Math.Max(mark + 1, newest + 1 - _geometry.SegmentCount);
        return Holds(tail) || tail == mark + 1 ? tail : tail + 1;
    }

    private long FindNewest()
    {
        long newest = 0, oldest = long.MaxValue;
        for (int physical = 0; physical < _ids.Length; physical++)
        {
            long id = _ids[physical];
            if (id == 0) continue;
            if (id < 0 || _geometry.Physical(id) != physical)
                throw Damaged($"segment {id} does not belong where its header lies");
            newest = Math.Max(newest, id);
            oldest = Math.Min(oldest, id);
        }
        // A place whose newest header was lost in a power cut shows the round before.
        if (newest > 0 && oldest <= newest - (2L * _geometry.SegmentCount))
            throw Damaged($"segments {oldest} and {newest} are both there");
        return newest;
    }

    // What lies behind the mark is reused in log order: the newest are the last to go, and where one is gone, so are
    // all that are older. None of them is needed: an error ends the look.
    private void CollectKnown(KnownBlocks known, long mark)
    {
        for (long id = mark; id > mark - KnownBlocks.MostSegments && Holds(id); id--)
        {
            if (!_layout.HasDevices && known.IsEnough) return;
            Start(_geometry.OffsetOf(_geometry.Position(id, 0)), 0, _geometry.SegmentBytes);
            if (_io.Wait() < 0 || !TryCollect(known, id)) return;
        }
    }

    // What a record that counts names may have been written back in part: nobody knows which bytes are there.
    private bool TryCollect(KnownBlocks known, long segment)
    {
        byte* record = _memory.Pointer;
        long position = _geometry.Position(segment, 0);
        if (!_layout.TryReadHeader(record, _superblock, _geometry, position, out RecordInfo info)) return false;
        RecordProof proof = _layout.ProofOf(record, info);
        // Only where no checksum of the layout's covers the data may a record go without proof.
        if (proof == RecordProof.None && !_layout.WritesHeaderLast) return false;
        LogEntry* entries = stackalloc LogEntry[RecordHeader.MaxEntries];
        _layout.ReadEntries(record, info, entries);
        for (int i = info.EntryCount - 1; i >= 0; i--)
            if (!_replay.Names(entries[i].Key))
                known.AddWrittenBack(entries[i], record + ((i + 1L) << Geometry.BlockShift), segment, proof);
        return true;
    }

    private UserErrorException Damaged(string found) => new(
        $"{_cache.Name}: {found}: the headers of a cache of layout {_layout.Name} with {_geometry.SegmentCount} "
        + "segments are damaged, or it is none; not serving");

    private uint HeaderChecksumOf(long segment)
    {
        if (!Holds(segment)) return 0;
        Start(_geometry.OffsetOf(_geometry.Position(segment, 0)), 0, Geometry.BlockBytes);
        _io.WaitOrFail("reading segment headers", _cache);
        return _layout.HeaderSum(_memory.Pointer);
    }

    private void ReplayChain()
    {
        long first = TailSegment;
        bool markIsOld = _superblock.MarkSequence == 1 || first > _superblock.MarkSequence;
        bool mayBeOverwritten = markIsOld && Holds(first + _geometry.SegmentCount - 1);
        int bytes = _readsData ? _geometry.SegmentBytes : Geometry.BlockBytes;
        int most = _readsData ? SegmentsAtATime : HeaderStream.Depth;
        for (; Holds(first); first += most)
        {
            Progress?.Invoke("segments", first - TailSegment, _geometry.SegmentCount);
            int count = 1;
            while (count < most && Holds(first + count)) count++;
            for (int i = 0; i < count; i++) Start(_geometry.OffsetOf(_geometry.Position(first + i, 0)), i, bytes);
            _io.WaitOrFail("reading the log", _cache);
            for (int i = 0; i < count; i++)
            {
                if (TryReplay(first + i, _memory.Pointer + ((long)i * bytes))) continue;
                if (!mayBeOverwritten || first + i != TailSegment)
                {
                    // The data had been flushed before the header was written: it is rotten, not torn.
                    if (_hasOnlyHeader) ProveDurable(first + i);
                    return;
                }
                EndSegment = TailSegment++;
            }
            if (count < most) return;
        }
    }

    private bool TryReplay(long segment, byte* record)
    {
        long position = _geometry.Position(segment, 0);
        bool whole = _layout.TryReadHeader(record, _superblock, _geometry, position, out RecordInfo info)
            && (_layout.IsWhole(record, info) || Mutant.Is(WriteboostMutant.R5TornReplayed));
        _hasOnlyHeader = whole && _readsData && _layout.ProofOf(record, info) == RecordProof.HeaderOnly;
        if (!whole || _hasOnlyHeader) return false;
        LogEntry* entries = stackalloc LogEntry[RecordHeader.MaxEntries];
        _layout.ReadEntries(record, info, entries);
        if (_readsData) AddChecksums(record, info, entries);
        ReadOnlySpan<LogEntry> list = new(entries, info.EntryCount);
        Known?.Note(list, _readsData ? record + Geometry.BlockBytes : null, segment);
        _replay.Apply(position, segment, list);
        Invariant.Check(segment == EndSegment + 1);
        EndSegment = segment;
        return true;
    }

    // The data is at hand and is right: from now on it can be told when it rots.
    private static void AddChecksums(byte* record, in RecordInfo info, LogEntry* entries)
    {
        for (int i = 0; i < info.EntryCount; i++)
            entries[i].Value = BlockSum.Compute(record + ((i + 1L) << Geometry.BlockShift));
    }
}

using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Recovery;
using Weir.Core.Writeboost.Settings;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Tools;

/// <summary>
/// <c>weir repair</c> for the kernel's layouts. A damaged segment inside the log is kept as it is or dropped, as the
/// user says; all others stay. A lost superblock is a magic number and the last id that was written
/// back. Where that is lost too, 0 takes its place, and everything that is there counts (R8).
/// </summary>
public sealed unsafe class SegmentRepairer(
    IoContext io, Device device, SegmentLayout layout, RepairOptions options, IItemWriter items)
{
    private readonly BlockingIo _io = new(io);
    private readonly DeviceQueue _queue = device.OpenQueue(io);

    /// <summary>Repairs, or says what it would do.</summary>
    /// <exception cref="UserErrorException">The segments are not those of a cache in this layout.</exception>
    public bool Run()
    {
        if (options.DropAfter != null || options.CacheId != null)
            throw new UserErrorException($"layout {layout.Name} has neither UUIDs nor records that were promised; what "
                + "becomes of damaged segments says --damaged", 2);
        if (options.Segment != null && options.Damaged == null)
            throw new UserErrorException("--segment wants --damaged keep or --damaged drop", 2);
        using AlignedMemory memory = new(3 * Geometry.BlockBytes);
        byte* mark = memory.Pointer + Geometry.BlockBytes;
        _io.Start(_queue, IoKind.Read, 0, memory.Pointer, Geometry.BlockBytes);
        _io.Start(_queue, IoKind.Read, layout.SuperblockOffset(0), mark, Geometry.BlockBytes);
        _io.Start(_queue, IoKind.Read, SegmentLayout.NotesOffset, mark + Geometry.BlockBytes, Geometry.BlockBytes);
        _io.WaitOrFail("reading the superblock", device);
        bool hasMagic = new ReadOnlySpan<byte>(memory.Pointer, layout.Magic.Length).SequenceEqual(layout.Magic);
        int segments = (int)Math.Min(int.MaxValue, Geometry.SegmentsIn(device.SizeBytes, layout.SegmentBytes));
        if (segments < Geometry.MinSegments) throw new UserErrorException($"{device.Name}: too small for a cache");
        segments = SegmentCounter.Find(layout, io, _queue, device, segments);
        Superblock superblock = layout.ReadSuperblock(mark, segments);
        superblock.CacheId = *(Guid*)(memory.Pointer + (2 * Geometry.BlockBytes));
        bool isMarked = options.Mark != null;
        if (isMarked) SetMark(ref superblock);
        if (MendSegments(superblock) is { } result) return result;
        bool hasMark = TryScan(superblock, out long records);
        // Without a magic number, lost or never there, records alone say what it is.
        bool isNamed = hasMagic && layout.Magic.Length > 0;
        if (hasMark && records == 0 && !isNamed) throw NothingFound();
        if (hasMagic && hasMark && !isMarked) return Say("done", "nothing to repair");
        if (!hasMark)
        {
            superblock = layout.NewSuperblock(layout.SegmentBytes, segments, Guid.NewGuid);
            if (!TryScan(superblock, out records) || records == 0) throw NothingFound();
        }
        return Write(superblock, records, hasMagic, memory.Pointer);
    }

    // Only ever back: what is written back once more does no harm.
    private void SetMark(ref Superblock superblock)
    {
        long mark = options.Mark!.Value;
        if (mark < 0 || mark >= superblock.MarkSequence)
            throw new UserErrorException($"--mark {mark}: expected 0 to {superblock.MarkSequence - 1}, the last "
                + "segment that the superblock says is written back", 2);
        superblock.MarkSequence = mark + 1;
        superblock.MarkPosition = layout.GeometryOf(superblock).Position(mark + 1, 0);
    }

    // What the repair comes to, or null: nothing of the log is damaged, or any more.
    private bool? MendSegments(in Superblock superblock)
    {
        using OfflineCache cache = new(io, device, layout, superblock)
        {
            Progress = options.Progress, ReadsPastErrors = true,
        };
        SegmentSurvey survey = new(cache);
        List<DamagedSegment> damaged = survey.Run();
        AddNamed(survey, damaged);
        if (options.Segment is { } only && !damaged.Exists(segment => segment.Id == only))
            throw new UserErrorException($"--segment {only}: is not damaged, or not in the log", 2);
        bool decides = true;
        foreach (DamagedSegment segment in damaged)
        {
            bool isMeant = options.Damaged != null && (options.Segment ?? segment.Id) == segment.Id;
            Name(cache, survey, segment);
            if (isMeant) Mend(cache, survey, segment);
            decides &= isMeant;
        }
        if (damaged.Count == 0 || (decides && options.Write)) return null;
        if (decides) return Say("plan", "would write the headers of these segments; --write does it");
        Say("advice", "--damaged keep --write lets all blocks of these segments count as they are, the rotten one too; "
            + "--damaged drop --write lets none count, they have older contents then; --segment N only does it for "
            + "one. Copy the device first");
        return false;
    }

    private void Name(OfflineCache cache, SegmentSurvey survey, DamagedSegment segment)
    {
        Span<LogEntry> entries = stackalloc LogEntry[RecordHeader.MaxEntries];
        int physical = cache.Geometry.Physical(segment.Id);
        cache.ReadSegment(physical);
        bool isThere = survey.TryReadHeader(physical, out RecordInfo info, out bool isSpoilt) && segment.HasHeader;
        string blocks = isThere ? DoubtfulBlocks.Describe(cache.ReadEntries(0, info, entries), NameOf)
            : "not known: its header is damaged";
        items.Begin("damaged_segment");
        items.Number("segment", segment.Id);
        items.Text("blocks", blocks);
        if (isSpoilt) items.Text("header", SegmentSurvey.Denied);
        items.End();
    }

    // One that was kept, and that makes no sense, can be dropped all the same.
    private void AddNamed(SegmentSurvey survey, List<DamagedSegment> damaged)
    {
        if (damaged.Count > 0 || options.Damaged != DamagedData.Drop || options.Segment is not { } id) return;
        bool isThere = id >= survey.FirstId && id <= survey.LastId && survey.Holds(id);
        if (isThere) damaged.Add(new DamagedSegment(id, HasHeader: true));
    }

    private string NameOf(int id) => DoubtfulBlocks.NameOf(layout, id);

    // The segment is in memory. Its header says the same with a new checksum or seal, or that it holds nothing.
    private void Mend(OfflineCache cache, SegmentSurvey survey, DamagedSegment segment)
    {
        bool drops = options.Damaged == DamagedData.Drop;
        if (!drops && !segment.HasHeader)
            throw new UserErrorException($"segment {segment.Id}: its header is damaged, and nothing tells which blocks "
                + $"it held: it cannot be kept; --damaged drop --segment {segment.Id}", 1);
        if (!options.Write) return;
        long position = cache.Geometry.Position(segment.Id, 0);
        RecordInfo info = new() { Position = position, Sequence = segment.Id };
        if (!drops)
        {
            cache.ReadSegment(cache.Geometry.Physical(segment.Id));
            survey.TryReadHeader(cache.Geometry.Physical(segment.Id), out info, out _);
        }
        LogEntry* entries = stackalloc LogEntry[RecordHeader.MaxEntries];
        // It goes back to where it was read.
        Invariant.Check(info.Position == position);
        Invariant.Check(info.Sequence == segment.Id);
        layout.ReadEntries(cache.Slot(0), info, entries);
        layout.WriteHeader(cache.Slot(0), cache.Superblock, cache.Geometry, info, entries);
        _io.Start(_queue, IoKind.Write, cache.Geometry.OffsetOf(position), cache.Slot(0), Geometry.BlockBytes);
        _io.WaitOrFail("writing a header", device);
        _io.StartFlush(_queue);
        _io.WaitOrFail("flush", device);
        Say("done", $"segment {segment.Id}: " + (drops ? "dropped: its blocks have older contents"
            : "kept as it is; if a start makes no sense of it, "
                + $"--damaged drop --segment {segment.Id} --write drops it"));
    }

    private UserErrorException NothingFound() =>
        new($"{device.Name}: no log of layout {layout.Name} found: nothing to rebuild");

    private bool Write(Superblock superblock, long records, bool hasMagic, byte* magicBlock)
    {
        string what = $"the superblock of a cache with {superblock.SegmentCount} segments, of which {records} count; "
            + $"last id written back: {superblock.MarkSequence - 1}";
        if (!options.Write) return Say("plan", $"would write {what}; --write does it");
        using SuperblockWriter writer = new(layout, _queue, io);
        writer.Begin(ref superblock);
        while (writer.IsBusy) _io.Turn();
        if (writer.Result < 0)
            throw new UserErrorException($"{device.Name}: writing the superblock failed: {Errno.Text(writer.Result)}");
        if (!hasMagic)
        {
            layout.Magic.CopyTo(new Span<byte>(magicBlock, Geometry.BlockBytes));
            _io.Start(_queue, IoKind.Write, 0, magicBlock, Geometry.BlockBytes);
            _io.WaitOrFail("writing the superblock", device);
            _io.StartFlush(_queue);
            _io.WaitOrFail("flush", device);
        }
        return Say("done", "wrote " + what);
    }

    private bool TryScan(in Superblock superblock, out long records)
    {
        Geometry geometry = layout.GeometryOf(superblock);
        records = 0;
        if (superblock.MarkSequence is < 1 or >= 1L << 40) return false;
        using SegmentTable table = new(geometry);
        using BlockIndex index = new(geometry, table, keepChecksums: false);
        using RangeMap ranges = new(new WriteboostOptions().RangeBudget);
        using SegmentScan scan = new(layout, superblock, geometry, _io, _queue, device,
            new Replay(geometry, table, index, ranges), readsData: false)
        { Progress = options.Progress };
        try
        {
            scan.Run();
        }
        catch (UserErrorException)
        {
            return false;
        }
        records = scan.EndSegment - scan.TailSegment + 1;
        Invariant.Check(records >= 0);
        Invariant.Check(records <= geometry.SegmentCount);
        return true;
    }

    private bool Say(string kind, string text)
    {
        items.Begin(kind);
        items.Text("text", text);
        items.End();
        return true;
    }
}

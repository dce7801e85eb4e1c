using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Tools;

/// <summary>
/// <c>weir repair</c> for layout <c>native</c>: rebuilds a superblock of which no copy is left, and gets a log that is
/// damaged below what was flushed served again, by giving up what lies behind the damage. It decides, reports what is
/// lost, and writes only when told to. Can be cut at any point and started again: what is given up goes first, the
/// superblock last.
/// </summary>
public sealed unsafe class Repairer(IoContext io, Device device, RepairOptions options, IItemWriter items)
{
    private readonly BlockingIo _io = new(io);
    private readonly DeviceQueue _queue = device.OpenQueue(io);
    private Superblock _superblock;
    private bool _rebuilt;
    private bool _copyDamaged;
    private bool _tableIsLost;
    private long _settled;
    private LogWalk _walk = null!;

    /// <summary>
    /// Repairs, or says what it would do. True when the cache can be served afterwards, or could be with
    /// <see cref="RepairOptions.Write"/>.
    /// </summary>
    /// <exception cref="UserErrorException">There is nothing to rebuild from, or a device fails.</exception>
    public bool Run()
    {
        if (options.Damaged != null || options.Segment != null || options.Mark != null)
            throw new UserErrorException("--damaged, --segment and --mark are for layouts of the kernel: native knows "
                + "each block by its checksum", 2);
        if (!TryReadSuperblock()) Rebuild();
        using OfflineCache cache = new(io, device, Layout.Native, _superblock) { Progress = options.Progress };
        _walk = new LogWalk(cache);
        LateRecords late = new(cache);
        late.FindDurable(_superblock.MarkPosition);
        Walk(long.MaxValue, static (int _, in RecordInfo _) => { });
        _tableIsLost = !SuperblockItems.ReportDevices(cache, items, out _, out _);
        if (_tableIsLost)
            Say("note", "both copies of the device table are damaged: an empty one takes their place, and the next "
                + "serve takes the backing devices it is given, under the numbers they had: --backing ID:NAME=PATH");
        bool isDamaged = _walk.EndPosition < Math.Max(late.DurablePosition, _settled);
        if (isDamaged && options.DropAfter == null) return Explain(cache, late);
        if (!isDamaged && options.DropAfter == null && !_rebuilt) return MendCopies(cache);
        WalkTo(options.DropAfter is { } last ? EndOf(last) : EndOfWhole(cache, late.DurablePosition));
        if (options.DropAfter != null) late.ReportLost(_walk.NextSequence, items);
        Invariant.Check(_walk.EndPosition >= _superblock.MarkPosition);
        Invariant.Check(_walk.NextSequence >= _superblock.MarkSequence);
        _superblock.Settle(_walk.EndPosition, _walk.NextSequence, _walk.Checksum);
        string what = $"{(_rebuilt ? "a rebuilt" : "the")} superblock, and a log that ends after record "
            + $"{_walk.NextSequence - 1}, at position {_walk.EndPosition}";
        if (!options.Write) return Say("plan", $"would write {what}; --write does it");
        late.Erase(_walk.EndPosition);
        _io.StartFlush(_queue);
        _io.WaitOrFail("flush", device);
        // Nothing that an earlier life wrote behind the end can be of this epoch (R4).
        _superblock.Epoch++;
        _superblock.Flags &= ~Superblock.CleanFlag;
        WriteSuperblock(cache);
        return Say("done", "wrote " + what);
    }

    private bool TryReadSuperblock()
    {
        using AlignedMemory memory = new(2 * Superblock.Bytes);
        Superblock* copies = (Superblock*)memory.Pointer;
        for (int i = 0; i < 2; i++)
            _io.Start(_queue, IoKind.Read, Layout.Native.SuperblockOffset(i), copies + i, Superblock.Bytes);
        _io.WaitOrFail("reading the superblock", device);
        bool aIsWhole = Superblock.IsValid(copies), bIsWhole = Superblock.IsValid(copies + 1);
        _copyDamaged = !aIsWhole || !bIsWhole;
        if (!aIsWhole && !bIsWhole) return false;
        _superblock = !bIsWhole || (aIsWhole && copies[0].Generation >= copies[1].Generation) ? copies[0] : copies[1];
        _settled = _superblock.SettledPosition;
        return true;
    }

    private void Rebuild()
    {
        FoundCache found = Search();
        Invariant.Check(found.Headers > 0);
        Invariant.Check(found.Superblock.HasPlaces);
        (_rebuilt, _superblock) = (true, found.Superblock);
        using OfflineCache cache = new(io, device, Layout.Native, _superblock) { Progress = options.Progress };
        long segment = cache.Geometry.SegmentOf(_superblock.MarkPosition);
        int physical = cache.Geometry.Physical(segment);
        cache.ReadSegment(physical);
        int slot = cache.NextHeader(physical, 0, out RecordInfo first);
        if (slot >= cache.Geometry.SlotsPerSegment || cache.Geometry.SegmentOf(first.Position) != segment)
            throw new UserErrorException($"{device.Name}: the log should begin in segment {segment}, and no header "
                + "there is whole: what it held cannot be told");
        (_superblock.MarkSequence, _superblock.MarkChecksum) = (first.Sequence, first.PreviousChecksum);
        Say("found", $"{found.Headers} record headers of cache {_superblock.CacheId:D}: "
            + $"{_superblock.SegmentCount} segments of {ByteSize.Format(_superblock.SegmentBytes)}, epoch "
            + $"{_superblock.Epoch}; the log begins with record {first.Sequence}");
    }

    private FoundCache Search()
    {
        HeaderSearch search = new(_io, _queue, device);
        search.Run();
        FoundCache? chosen = search.Caches.Count == 1 ? search.Caches[0] : null;
        foreach (FoundCache found in search.Caches)
        {
            if (found.Superblock.CacheId == options.CacheId) chosen = found;
            if (search.Caches.Count > 1)
                Say("found", $"{found.Headers} record headers of cache {found.Superblock.CacheId:D}");
        }
        if (options.CacheId != null && chosen?.Superblock.CacheId != options.CacheId) chosen = null;
        return chosen ?? throw new UserErrorException(search.Caches.Count == 0
            ? $"{device.Name}: no superblock and no record header of a weir cache found: nothing to rebuild from"
            : $"{device.Name}: record headers of {search.Caches.Count} caches found; --uuid UUID says which one to "
                + "rebuild");
    }

    private bool Explain(OfflineCache cache, LateRecords late)
    {
        Say("problem", $"record {_walk.NextSequence} in segment {cache.Geometry.SegmentOf(_walk.EndPosition)} is "
            + $"damaged although it had been flushed (up to position {late.DurablePosition})");
        late.ReportLost(_walk.NextSequence, items);
        Say("advice", $"--drop-after {_walk.NextSequence - 1} --write keeps everything before it, and gives up the "
            + "rest for good: copy the device first");
        return false;
    }

    private bool MendCopies(OfflineCache cache)
    {
        if (!_copyDamaged && !_tableIsLost) return Say("done", "nothing to repair");
        if (!options.Write) return Say("plan", "would write what is damaged of superblock and table; --write does it");
        WriteSuperblock(cache);
        return Say("done", "wrote superblock and device table");
    }

    // The record that the user names must be one that the chain reaches.
    private long EndOf(long last)
    {
        long reached = _walk.NextSequence - 1, first = _superblock.MarkSequence - 1, end = _superblock.MarkPosition;
        if (last < first || last > reached)
            throw new UserErrorException($"--drop-after {last}: expected {first} to {reached}, the last record before "
                + "the damage", 2);
        Walk(long.MaxValue, (int _, in RecordInfo info) =>
        {
            if (info.Sequence <= last) end = info.EndPosition;
        });
        return end;
    }

    // Behind D the last records may be torn: they count only with all their data, one after the other (R5).
    private long EndOfWhole(OfflineCache cache, long durable)
    {
        long end = _superblock.MarkPosition;
        bool isBroken = false;
        Walk(long.MaxValue, (int slot, in RecordInfo info) =>
        {
            isBroken |= info.EndPosition > durable && !cache.IsWhole(slot, info);
            if (!isBroken) end = info.EndPosition;
        });
        return end;
    }

    private void Walk(long end, LogWalk.Visit visit)
    {
        _walk.Begin(_superblock.MarkPosition, _superblock.MarkSequence, _superblock.MarkChecksum, _settled);
        _walk.Run(end, visit);
    }

    private void WalkTo(long end)
    {
        Walk(end, static (int _, in RecordInfo _) => { });
        Invariant.Check(_walk.EndPosition == end);
    }

    private void WriteSuperblock(OfflineCache cache)
    {
        if (_tableIsLost) WriteEmptyTable();
        using SuperblockWriter writer = new(cache.Layout, _queue, io);
        writer.Begin(ref _superblock);
        while (writer.IsBusy) _io.Turn();
        if (writer.Result < 0)
            throw new UserErrorException($"{device.Name}: writing the superblock failed: {Errno.Text(writer.Result)}");
    }

    private void WriteEmptyTable()
    {
        using DeviceTable table = new(_superblock.CacheId);
        using TableWriter writer = new(_queue, io);
        writer.Begin(table);
        while (writer.IsBusy) _io.Turn();
        if (writer.Result < 0)
            throw new UserErrorException(
                $"{device.Name}: writing the device table failed: {Errno.Text(writer.Result)}");
    }

    private bool Say(string kind, string text)
    {
        items.Begin(kind);
        items.Text("text", text);
        items.End();
        return true;
    }
}

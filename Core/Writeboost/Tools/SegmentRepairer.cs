using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Recovery;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Tools;

/// <summary>
/// <c>weir repair</c> for the kernel's layouts: a lost superblock is a magic number and the last id that was written
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
            throw new UserErrorException($"layout {layout.Name} has neither UUIDs nor records that were promised: its "
                + "log ends by itself before the first damaged segment", 2);
        using AlignedMemory memory = new(2 * Geometry.BlockBytes);
        byte* mark = memory.Pointer + Geometry.BlockBytes;
        _io.Start(_queue, IoKind.Read, 0, memory.Pointer, Geometry.BlockBytes);
        _io.Start(_queue, IoKind.Read, layout.SuperblockOffset(0), mark, Geometry.BlockBytes);
        _io.WaitOrFail("reading the superblock", device);
        bool hasMagic = new ReadOnlySpan<byte>(memory.Pointer, layout.Magic.Length).SequenceEqual(layout.Magic);
        int segments = (int)Math.Min(int.MaxValue, Geometry.SegmentsIn(device.SizeBytes, layout.SegmentBytes));
        if (segments < Geometry.MinSegments) throw new UserErrorException($"{device.Name}: too small for a cache");
        Superblock superblock = layout.ReadSuperblock(mark, segments);
        bool hasMark = TryScan(superblock, out long records);
        // Without a magic number, lost or never there, records alone say what it is.
        bool isNamed = hasMagic && layout.Magic.Length > 0;
        if (hasMark && records == 0 && !isNamed) throw NothingFound();
        if (hasMagic && hasMark) return Say("done", "nothing to repair");
        if (!hasMark)
        {
            superblock = layout.NewSuperblock(layout.SegmentBytes, segments, Guid.NewGuid);
            if (!TryScan(superblock, out records) || records == 0) throw NothingFound();
        }
        return Write(superblock, records, hasMagic, memory.Pointer);
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
            new Replay(geometry, table, index, ranges), readsData: false) { Progress = options.Progress };
        try
        {
            scan.Run();
        }
        catch (UserErrorException)
        {
            return false;
        }
        records = scan.EndSegment - scan.TailSegment + 1;
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

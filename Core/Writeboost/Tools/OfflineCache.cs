using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Errors;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Recovery;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Tools;

/// <summary>
/// A cache device as the offline tools see it: where things lie, and the bytes of one segment at a time. Reads only
/// what it is asked for; writes nothing. One thread.
/// </summary>
public sealed unsafe class OfflineCache : IDisposable
{
    private readonly AlignedMemory _segment;
    private readonly SegmentReader _reader;
    private long _segmentsToRead;
    private long _segmentsRead;
    private int _inMemory = -1;

    /// <summary>The cache on <paramref name="device"/> that <paramref name="superblock"/> describes.</summary>
    /// <exception cref="UserErrorException">The device is smaller than it says.</exception>
    public OfflineCache(IoContext io, Device device, Layout layout, in Superblock superblock)
    {
        OpenChecks.Check(device, superblock);
        Device = device;
        Layout = layout;
        Superblock = superblock;
        Geometry = layout.GeometryOf(superblock);
        Io = new BlockingIo(io);
        Queue = device.OpenQueue(io);
        _segment = new AlignedMemory(Geometry.SegmentBytes);
        _reader = new SegmentReader(Io, Queue, Geometry.SlotsPerSegment);
    }

    /// <summary>The device.</summary>
    public Device Device { get; }

    /// <summary>How it is written.</summary>
    public Layout Layout { get; }

    /// <summary>What the superblock says.</summary>
    public Superblock Superblock { get; }

    /// <summary>Where things are.</summary>
    public Geometry Geometry { get; }

    /// <summary>For reads and writes that are waited for.</summary>
    public BlockingIo Io { get; }

    /// <summary>The device's queue.</summary>
    public DeviceQueue Queue { get; }

    /// <summary>Told how far the work has come: of what, how many are done, of how many.</summary>
    public Action<string, long, long>? Progress { get; init; }

    /// <summary>
    /// A block that cannot be read is one that is not intact; else it ends the tool with the user's error.
    /// </summary>
    public bool ReadsPastErrors { get; init; }

    /// <summary>Blocks that could not be read, of all segments so far.</summary>
    public long UnreadBlocks { get; private set; }

    /// <summary>The block in <paramref name="slot"/> of the segment that was read could not be.</summary>
    public bool IsUnread(int slot)
    {
        Invariant.Check((uint)slot < (uint)Geometry.SlotsPerSegment);
        return _reader.Unread.Has(slot);
    }

    /// <summary>As many segments are going to be read now: for <see cref="Progress"/>.</summary>
    public void Expect(long segments)
    {
        Invariant.Check(segments >= 0);
        (_segmentsToRead, _segmentsRead) = (segments, 0);
    }

    /// <summary>Reads the segment at place <paramref name="physical"/> into memory.</summary>
    public void ReadSegment(int physical)
    {
        Invariant.Check((uint)physical < (uint)Geometry.SegmentCount);
        _inMemory = physical;
        long offset = Geometry.OffsetOfPhysical((uint)physical << Geometry.SlotShift);
        int error = _reader.Read(offset, _segment.Pointer, 0);
        if (error < 0 && !ReadsPastErrors)
            throw new UserErrorException($"{Device.Name}: reading the log failed: {Errno.Text(error)}");
        UnreadBlocks += _reader.Unread.Count;
        if (_segmentsRead < _segmentsToRead) Progress?.Invoke("segments", ++_segmentsRead, _segmentsToRead);
    }

    /// <summary>4 KiB of the segment that was read.</summary>
    public byte* Slot(int slot)
    {
        Invariant.Check(_inMemory >= 0);
        Invariant.Check((uint)slot < (uint)Geometry.SlotsPerSegment);
        return _segment.Pointer + ((long)slot << Geometry.BlockShift);
    }

    /// <summary>
    /// The slot of the segment that was read, at place <paramref name="physical"/>, holds a header of this cache that
    /// belongs there, of whatever age.
    /// </summary>
    public bool TryReadHeader(int physical, int slot, out RecordInfo info)
    {
        // What is asked about is what was read.
        Invariant.Check(physical == _inMemory);
        long position = PositionIn(Slot(slot));
        bool belongs = position > 0 && Geometry.SlotOf(position) == slot
            && Geometry.Physical(Geometry.SegmentOf(position)) == physical;
        info = default;
        return belongs && Layout.TryReadHeader(Slot(slot), Superblock, Geometry, position, out info)
            && slot + info.EntryCount < Geometry.SlotsPerSegment;
    }

    /// <summary>
    /// The first slot from <paramref name="slot"/> on that holds a header, or the number of slots when none does.
    /// </summary>
    public int NextHeader(int physical, int slot, out RecordInfo info)
    {
        info = default;
        while (slot < Geometry.SlotsPerSegment && !TryReadHeader(physical, slot, out info))
            slot = Layout.HasManyRecords ? slot + 1 : Geometry.SlotsPerSegment;
        return slot;
    }

    /// <summary>
    /// The entries of the header in <paramref name="slot"/>, into <paramref name="entries"/>: room for 255.
    /// </summary>
    public Span<LogEntry> ReadEntries(int slot, in RecordInfo info, Span<LogEntry> entries)
    {
        // They are written behind the caller's back: room first.
        Invariant.Check(info.EntryCount <= entries.Length);
        Invariant.Check(slot + info.EntryCount < Geometry.SlotsPerSegment);
        fixed (LogEntry* list = entries) Layout.ReadEntries(Slot(slot), info, list);
        return entries[..info.EntryCount];
    }

    /// <summary>
    /// The block in <paramref name="slot"/> is what was written; layouts without a checksum for it cannot tell.
    /// </summary>
    public bool IsIntact(in LogEntry entry, int slot) =>
        !EntryKinds.HasBlock(entry) || (!IsUnread(slot)
            && (!Layout.HasBlockChecksums || BlockSum.Compute(Slot(slot)) == entry.Value));

    /// <summary>All data of the record in <paramref name="slot"/> is what was written, as far as can be told.</summary>
    public bool IsWhole(int slot, in RecordInfo info) => Layout.IsWhole(Slot(slot), info);

    /// <summary>What proves that. Layout native proves each block by itself.</summary>
    public RecordProof ProofOf(int slot, in RecordInfo info) =>
        Layout is SegmentLayout segments ? segments.ProofOf(Slot(slot), info) : RecordProof.None;

    /// <inheritdoc/>
    public void Dispose() => _segment.Dispose();

    // What the bytes say, whatever they are: the caller looks whether it can be true.
    private long PositionIn(byte* header)
    {
        if (Layout is not SegmentLayout) return ((RecordHeader*)header)->Position;
        long id = SegmentLayout.IdOf(header);
        return id is > 0 and < long.MaxValue >> 16 ? Geometry.Position(id, 0) : 0;
    }
}

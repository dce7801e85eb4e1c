using System;
using System.Collections.Generic;
using Weir.Core.Base;

namespace Weir.Core.Writeboost.Format;

/// <summary>
/// One form of what lies on the cache device: the codec that the engine, recovery and the tools go through. Every
/// layout has 4 KiB slots, a superblock region of 1 MiB, and records of one header slot and the slots it describes.
/// The codecs have no state; a record costs a few calls, a block none.
/// </summary>
public abstract unsafe class Layout
{
    /// <summary>All of them, the default one first.</summary>
    public static IReadOnlyList<Layout> All { get; } =
    [
        new NativeLayout(), new Writeboost2Layout(), new Writeboost1Layout(), new Lc1Layout(),
    ];

    /// <summary>The number of the one device in layouts that name none.</summary>
    public const byte OnlyDevice = 1;

    /// <summary>Weir's own.</summary>
    public static Layout Native => All[0];

    /// <summary>The one without a magic number: nothing tells a cache in it from other bytes.</summary>
    public static Layout Unmarked => All[^1];

    /// <summary>Its name on the command line and in status.</summary>
    public abstract string Name { get; }

    /// <summary>Discards and zeroes of any length are one entry (R9); else zeroes are written block by block.</summary>
    public abstract bool HasRanges { get; }

    /// <summary>Every entry carries the checksum of its block.</summary>
    public abstract bool HasBlockChecksums { get; }

    /// <summary>
    /// A flush ends a record and the next one goes on in the same segment; else it gives up the segment's rest.
    /// </summary>
    public abstract bool HasManyRecords { get; }

    /// <summary>
    /// Nothing in the record tells whether its data is whole: data is flushed before the header is written.
    /// </summary>
    public abstract bool WritesHeaderLast { get; }

    /// <summary>Entries name one of many backing devices.</summary>
    public abstract bool HasDevices { get; }

    /// <summary>The cache keeps a table of its backing devices; else their numbers are the user's to know.</summary>
    public virtual bool HasDeviceTable => false;

    /// <summary>
    /// The sum by which memory knows a header again (R1): of the bytes that count, as a header counts as whole as soon
    /// as those are on the device.
    /// </summary>
    public virtual uint HeaderSum(byte* header) => Crc32C.Compute(header, Geometry.BlockBytes);

    /// <summary>
    /// Every start has an epoch and a secret of its own (R4); else what lies behind the log's end is erased.
    /// </summary>
    public abstract bool HasEpochs { get; }

    /// <summary>
    /// The superblock says which clean blocks are out of date; else a write must not go round the log, because whoever
    /// opens the cache next would believe in what the log holds of its blocks.
    /// </summary>
    public virtual bool HasCleanPosition => false;

    /// <summary>As <see cref="Geometry.PlacementOffset"/>, in a cache of this layout.</summary>
    public abstract int PlacementOffset(in Superblock superblock);

    /// <summary>Smallest, largest and usual size of a segment.</summary>
    public abstract int MinSegmentBytes { get; }

    /// <summary>As <see cref="MinSegmentBytes"/>.</summary>
    public abstract int MaxSegmentBytes { get; }

    /// <summary>As <see cref="MinSegmentBytes"/>.</summary>
    public abstract int DefaultSegmentBytes { get; }

    /// <summary>What it cannot do that <c>native</c> does, in a sentence; empty for <c>native</c>.</summary>
    public abstract string Limits { get; }

    /// <summary>Copies of the superblock.</summary>
    public abstract int SuperblockCopies { get; }

    /// <summary>Bytes "WBst" of the number 0x57427374, little endian, with which the kernel module begins.</summary>
    protected static ReadOnlySpan<byte> WriteboostMagic => "tsBW"u8;

    /// <summary>The layout called <paramref name="name"/>.</summary>
    /// <exception cref="UserErrorException">There is none.</exception>
    public static Layout Find(string name)
    {
        List<string> names = [];
        foreach (Layout layout in All)
        {
            if (layout.Name == name) return layout;
            names.Add(layout.Name);
        }
        throw new UserErrorException($"unknown layout '{name}'; this version has: {string.Join(", ", names)}", 2);
    }

    /// <summary>
    /// Reads the header at <paramref name="header"/> (4 KiB) as that of a record at <paramref name="position"/>.
    /// False: it is none of this cache's, or not whole.
    /// </summary>
    public abstract bool TryReadHeader(
        byte* header, in Superblock superblock, in Geometry geometry, long position, out RecordInfo info);

    /// <summary>The entries of a header that has been read, into room for all of them.</summary>
    public abstract void ReadEntries(byte* header, in RecordInfo info, LogEntry* entries);

    /// <summary>
    /// Fills the 4 KiB at <paramref name="header"/>, whose data slots follow in memory, for the record that
    /// <paramref name="info"/> and <paramref name="entries"/> describe. Returns what the next header builds on.
    /// </summary>
    public abstract uint WriteHeader(
        byte* header, in Superblock superblock, in Geometry geometry, in RecordInfo info, LogEntry* entries);

    /// <summary>
    /// The record's data, behind its header in memory, is what was written; layouts that cannot tell say yes.
    /// </summary>
    public abstract bool IsWhole(byte* record, in RecordInfo info);

    /// <summary>Byte offset of a copy of the superblock.</summary>
    public abstract long SuperblockOffset(int copy);

    /// <summary>Fills the 4 KiB at <paramref name="block"/> with what lies there.</summary>
    public abstract void WriteSuperblock(in Superblock superblock, byte* block);

    /// <summary>The state of an empty cache.</summary>
    public abstract Superblock NewSuperblock(int segmentBytes, int segmentCount, Func<Guid> newGuid);

    /// <summary>Where the slots of a cache in this layout lie.</summary>
    public Geometry GeometryOf(in Superblock superblock) =>
        new(superblock.SegmentBytes, superblock.SegmentCount, PlacementOffset(superblock));
}

using System;
using System.Buffers.Binary;
using Weir.Core.Base;

namespace Weir.Core.Writeboost.Format;

/// <summary>
/// What the three kernel layouts have in common: a segment holds one record, whose number is the segment's id; the
/// superblock is one number, the last id that has been written back; nothing says to which backing device the cache
/// belongs, and no life differs from another.
/// <code>
/// 0                                 1 MiB        1 MiB + S
/// | sector 0 ... the last sector    | segment 1  | segment 2 | ...      segment of id i at slot (i - 1) mod segments
///                                    \ header 4 KiB | block | block | ...
/// </code>
/// </summary>
public abstract unsafe class SegmentLayout : Layout
{
    /// <summary>
    /// Byte offset of the 4 KiB that are ours: <see cref="SegmentNotes"/>.
    /// </summary>
    public const long NotesOffset = Geometry.BlockBytes;

    /// <summary>
    /// Wherever a layout of the kernel's has a header, it is at a multiple of this behind the superblock region: the
    /// smallest segment of them all.
    /// </summary>
    public const int HeaderStepBytes = 512 << 10;

    private const ulong SectorsPerBlock = 8, MaxBlock = (1UL << 40) - 1;

    /// <inheritdoc/>
    public override bool HasRanges => false;

    /// <inheritdoc/>
    public override bool HasBlockChecksums => false;

    /// <inheritdoc/>
    public override bool HasManyRecords => false;

    /// <inheritdoc/>
    public override bool HasEpochs => false;

    /// <summary>Segment 1 lies first.</summary>
    public override int PlacementOffset(in Superblock superblock) => superblock.SegmentCount - 1;

    /// <inheritdoc/>
    public override int DefaultSegmentBytes => SegmentBytes;

    /// <inheritdoc/>
    public override int MaxSegmentBytes => SegmentBytes;

    /// <inheritdoc/>
    public override int MinSegmentBytes => SegmentBytes;

    /// <summary>Bytes of every segment.</summary>
    public abstract int SegmentBytes { get; }

    /// <summary>Bytes of the 4 KiB at offset 0 that say what this is; empty where nothing does.</summary>
    public abstract ReadOnlySpan<byte> Magic { get; }

    /// <summary>Byte offset of the 64-bit number of the last segment that has been written back.</summary>
    public abstract long MarkOffset { get; }

    /// <summary>Id of the segment whose header is at <paramref name="header"/>; 0 = never written.</summary>
    public static long IdOf(byte* header) => BinaryPrimitives.ReadInt64LittleEndian(new Span<byte>(header, 8));

    /// <inheritdoc/>
    public override int SuperblockCopies => 1;

    /// <inheritdoc/>
    public override long SuperblockOffset(int copy) => MarkOffset & ~(long)(Geometry.BlockBytes - 1);

    /// <inheritdoc/>
    public override void WriteSuperblock(in Superblock superblock, byte* block)
    {
        new Span<byte>(block, Geometry.BlockBytes).Clear();
        if (SuperblockOffset(0) == 0) Magic.CopyTo(new Span<byte>(block, Magic.Length));
        int within = (int)(MarkOffset & (Geometry.BlockBytes - 1));
        BinaryPrimitives.WriteInt64LittleEndian(new Span<byte>(block + within, 8), superblock.MarkSequence - 1);
    }

    /// <summary>The state that the superblock block at <paramref name="block"/> stands for.</summary>
    public Superblock ReadSuperblock(byte* block, int segmentCount)
    {
        int within = (int)(MarkOffset & (Geometry.BlockBytes - 1));
        return StateAt(BinaryPrimitives.ReadInt64LittleEndian(new Span<byte>(block + within, 8)), segmentCount);
    }

    /// <inheritdoc/>
    public override Superblock NewSuperblock(int segmentBytes, int segmentCount, Func<Guid> newGuid) =>
        StateAt(0, segmentCount);

    /// <inheritdoc/>
    public override bool IsWhole(byte* record, in RecordInfo info) => true;

    /// <summary>
    /// What proves that the record at <paramref name="record"/>, a good header and its data, is whole.
    /// </summary>
    public abstract RecordProof ProofOf(byte* record, in RecordInfo info);

    /// <summary>Byte offset of the <see cref="SegmentSeal"/> in a header's 4 KiB.</summary>
    public abstract int SealOffset { get; }

    /// <summary>The seal of a good header; false: it has none, or one of another header.</summary>
    public bool TryReadSeal(byte* header, out SegmentSeal seal) =>
        SegmentSeal.TryRead(header + SealOffset, out seal) && seal.HeaderSum == SealedSum(header);

    /// <inheritdoc/>
    public override bool TryReadHeader(
        byte* header, in Superblock superblock, in Geometry geometry, long position, out RecordInfo info) =>
        TryReadUnsealed(header, geometry, position, out info) && SpoiltId(header) == 0;

    /// <summary>As <see cref="Layout.TryReadHeader"/>, whatever its seal says of it.</summary>
    public abstract bool TryReadUnsealed(byte* header, in Geometry geometry, long position, out RecordInfo info);

    /// <summary>
    /// The id that the header at <paramref name="header"/> was sealed with, if it has its own seal and is not what was
    /// sealed, rotten or torn; else 0. A seal of another segment proves nothing: a module's memory keeps what was
    /// there. Where the id itself has rotted, all else is as it was sealed.
    /// </summary>
    public long SpoiltId(byte* header)
    {
        if (!SegmentSeal.TryRead(header + SealOffset, out SegmentSeal seal) || seal.HeaderSum == SealedSum(header))
            return 0;
        if (seal.Id == IdOf(header)) return seal.Id;
        byte* copy = stackalloc byte[Geometry.BlockBytes];
        new Span<byte>(header, Geometry.BlockBytes).CopyTo(new Span<byte>(copy, Geometry.BlockBytes));
        SetId(copy, seal.Id);
        return seal.HeaderSum == SealedSum(copy) ? seal.Id : 0;
    }

    /// <summary>As <see cref="IdOf"/>, or what it was before it rotted.</summary>
    public long SealedIdOf(byte* header) => SpoiltId(header) is > 0 and long id ? id : IdOf(header);

    /// <summary>Gives the header at <paramref name="header"/> the id <paramref name="id"/>.</summary>
    public static void SetId(byte* header, long id) =>
        BinaryPrimitives.WriteInt64LittleEndian(new Span<byte>(header, 8), id);

    /// <summary>Checksum of what the seal speaks of in a header.</summary>
    protected abstract uint SealedSum(byte* header);

    /// <summary>Seals a header that is complete but for that.</summary>
    protected void Seal(byte* header, in Geometry geometry, in RecordInfo info, uint dataSum)
    {
        SegmentSeal seal = new()
        {
            HeaderSum = SealedSum(header),
            DataSum = dataSum,
            Id = info.Sequence <= uint.MaxValue ? (uint)info.Sequence : 0,
            DurableSegment = info.DurablePosition > 0 ? geometry.SegmentOf(info.DurablePosition - 1) : 0,
        };
        seal.Put(header + SealOffset);
    }

    /// <summary>
    /// First sector of an entry's block; beyond every device for an empty slot, which without dirty bits would read as
    /// a clean copy of the first block.
    /// </summary>
    internal static ulong SectorOf(in LogEntry entry) =>
        (entry.Kind == EntryKind.Void ? MaxBlock : (ulong)entry.Block) * SectorsPerBlock;

    /// <summary>The bits of the sectors that must be written back: none of a clean block or an empty slot.</summary>
    internal static byte DirtyBitsOf(in LogEntry entry)
    {
        // These layouts have no word for anything else.
        Invariant.Check(entry.Kind is EntryKind.Void or EntryKind.Data or EntryKind.Clean);
        Invariant.Check(entry.IsConsistent);
        return entry.Kind == EntryKind.Data ? entry.Sectors : (byte)0;
    }

    /// <summary>
    /// The entry for the block at <paramref name="sector"/>; of kind <paramref name="ofNone"/> when no sector of it is
    /// dirty. A sector that begins no block is beyond every device, where replay refuses it.
    /// </summary>
    internal static LogEntry EntryOf(ulong sector, byte device, byte dirtyBits, EntryKind ofNone)
    {
        ulong block = sector % SectorsPerBlock == 0 ? Math.Min(sector / SectorsPerBlock, MaxBlock) : MaxBlock;
        LogEntry entry = LogEntry.ForData(block, dirtyBits, 0);
        entry.Device = device;
        if (dirtyBits == 0) (entry.Kind, entry.Sectors) = (ofNone, SectorMask.Full);
        return entry;
    }

    /// <summary>The header fits a place in the log: its id belongs there, and it starts a segment.</summary>
    protected static bool Fits(byte* header, in Geometry geometry, long position, int length, int maxLength) =>
        geometry.SlotOf(position) == 0 && IdOf(header) == geometry.SegmentOf(position) && length <= maxLength;

    private Superblock StateAt(long mark, int segmentCount)
    {
        Superblock state = new()
        {
            SegmentBytes = SegmentBytes,
            SegmentCount = segmentCount,
            MarkSequence = mark + 1,
        };
        state.MarkPosition = GeometryOf(state).Position(mark + 1, 0);
        state.Settle(state.MarkPosition, state.MarkSequence, 0);
        return state;
    }
}

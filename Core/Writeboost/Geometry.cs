using Weir.Core.Base;

namespace Weir.Core.Writeboost;

/// <summary>
/// Where things are. The log is an endless row of 4 KiB slots; a <b>position</b> numbers them: segment sequence times
/// slots per segment, plus slot. Segment <c>s</c> lies in physical segment <c>s mod SegmentCount</c>. Sequences start
/// at 1, so position 0 is before everything.
/// </summary>
public readonly struct Geometry
{
    /// <summary>The unit of cache and log, as in every seed.</summary>
    public const int BlockBytes = 4096;

    /// <summary>log2 of <see cref="BlockBytes"/>.</summary>
    public const int BlockShift = 12;

    /// <summary>The unit of partial writes; eight make a block.</summary>
    public const int SectorBytes = 512;

    /// <summary>Room for both superblock copies before the first segment (1 MiB, as the seeds).</summary>
    public const long SuperblockRegionBytes = 1 << 20;

    /// <summary>A record never crosses a multiple of this many slots: 255 entries fill its 4 KiB header.</summary>
    public const int MaxRecordSlots = 256;

    /// <summary>Fewest segments a cache may have: one open, one in flight, two to write back.</summary>
    public const int MinSegments = 4;

    /// <summary>Index slots are 31 bits: 8 TiB.</summary>
    public const long MaxCacheBytes = 8L << 40;

    /// <summary>Bytes of a segment: a power of two.</summary>
    public readonly int SegmentBytes;

    /// <summary>Physical segments.</summary>
    public readonly int SegmentCount;

    /// <summary>log2 of <see cref="SlotsPerSegment"/>.</summary>
    public readonly int SlotShift;

    private readonly int _firstPhysical;

    /// <summary>
    /// Geometry of a cache with <paramref name="segmentCount"/> segments; the one with sequence
    /// <paramref name="firstPhysical"/>, 0 or 1, lies first on the device.
    /// </summary>
    public Geometry(int segmentBytes, int segmentCount, int firstPhysical = 0)
    {
        Invariant.Check(firstPhysical is 0 or 1);
        _firstPhysical = firstPhysical;
        Invariant.Check(System.Numerics.BitOperations.IsPow2(segmentBytes));
        Invariant.Check(segmentCount >= MinSegments);
        SegmentBytes = segmentBytes;
        SegmentCount = segmentCount;
        SlotShift = System.Numerics.BitOperations.Log2((uint)segmentBytes) - BlockShift;
    }

    /// <summary>4 KiB slots in a segment.</summary>
    public int SlotsPerSegment => 1 << SlotShift;

    /// <summary>A record ends at the latest at a multiple of this many slots.</summary>
    public int BoundarySlots => SlotsPerSegment < MaxRecordSlots ? SlotsPerSegment : MaxRecordSlots;

    /// <summary>Slots of all segments.</summary>
    public long SlotCount => (long)SegmentCount << SlotShift;

    /// <summary>Segments that fit into <paramref name="cacheBytes"/>.</summary>
    public static long SegmentsIn(long cacheBytes, int segmentBytes) =>
        cacheBytes <= SuperblockRegionBytes ? 0 : (cacheBytes - SuperblockRegionBytes) / segmentBytes;

    /// <summary>Segment sequence of a position.</summary>
    public long SegmentOf(long position) => position >> SlotShift;

    /// <summary>Slot within its segment.</summary>
    public int SlotOf(long position) => (int)(position & (SlotsPerSegment - 1));

    /// <summary>The position of a slot.</summary>
    public long Position(long segment, int slot) => (segment << SlotShift) + slot;

    /// <summary>Where segment <paramref name="segment"/> lies.</summary>
    public int Physical(long segment) => (int)((segment - _firstPhysical) % SegmentCount);

    /// <summary>The slot's number on the device.</summary>
    public uint PhysicalSlot(long position) =>
        ((uint)Physical(SegmentOf(position)) << SlotShift) + (uint)SlotOf(position);

    /// <summary>Byte offset of a position on the cache device.</summary>
    public long OffsetOf(long position) =>
        SuperblockRegionBytes + ((long)Physical(SegmentOf(position)) * SegmentBytes)
        + ((long)SlotOf(position) << BlockShift);

    /// <summary>Byte offset of a physical slot.</summary>
    public static long OffsetOfPhysical(uint physicalSlot) =>
        SuperblockRegionBytes + ((long)physicalSlot << BlockShift);
}

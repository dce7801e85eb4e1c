using System.Threading;
using Weir.Core.Base;
using Weir.Core.Caching;

namespace Weir.Core.Writeboost.Format;

/// <summary>
/// Where things are. The log is an endless row of 4 KiB slots; a <b>position</b> numbers them: segment sequence times
/// slots per segment, plus slot. Segment <c>s</c> lies in physical segment <c>(s + PlacementOffset) mod
/// SegmentCount</c>. Sequences start at 1, so position 0 is before everything.
/// </summary>
/// <remarks>
/// Count and shift change when a cache grows while it is served: both in one word, which all copies of a geometry
/// share. Written by the first queue's thread (<see cref="Adopt"/>), read by all at any time: the segments in use lie
/// at the same place before and after (<see cref="IsUnwrapped"/>, <see cref="Grown"/>), and while the change is planned
/// none is opened that does not (<c>SegmentLog.OpenNext</c>). Who asks for the place of a segment that is not open yet
/// looks then whether the table has it there.
/// </remarks>
public readonly struct Geometry
{
    /// <summary>The unit of cache and log, as in every seed.</summary>
    public const int BlockBytes = 4096;

    /// <summary>log2 of <see cref="BlockBytes"/>.</summary>
    public const int BlockShift = 12;

    /// <summary>The unit of partial writes; eight make a block.</summary>
    public const int SectorBytes = SectorRuns.SectorBytes;

    /// <summary>Room for both superblock copies before the first segment (1 MiB, as the seeds).</summary>
    public const long SuperblockRegionBytes = 1 << 20;

    /// <summary>A record never crosses a multiple of this many slots: 255 entries fill its 4 KiB header.</summary>
    public const int MaxRecordSlots = 256;

    /// <summary>Fewest segments a cache may have: one open, one in flight, two to write back.</summary>
    public const int MinSegments = 4;

    /// <summary>Least and most bytes of a segment, in any layout.</summary>
    public const int MinSegmentBytes = 128 << 10, MaxSegmentBytes = 4 << 20;

    /// <summary>Index slots are 31 bits: 8 TiB.</summary>
    public const long MaxCacheBytes = 8L << 40;

    /// <summary>Bytes of a segment: a power of two.</summary>
    public readonly int SegmentBytes;

    /// <summary>log2 of <see cref="SlotsPerSegment"/>.</summary>
    public readonly int SlotShift;

    private readonly Ring _ring;

    /// <summary>
    /// Geometry of a cache with <paramref name="segmentCount"/> segments, of which the one with sequence s lies at
    /// place (s + <paramref name="placementOffset"/>) mod that.
    /// </summary>
    public Geometry(int segmentBytes, int segmentCount, int placementOffset = 0)
    {
        Invariant.Check(System.Numerics.BitOperations.IsPow2(segmentBytes));
        Invariant.Check(segmentCount >= MinSegments);
        Invariant.Check((uint)placementOffset < (uint)segmentCount);
        SegmentBytes = segmentBytes;
        _ring = new Ring { Word = Pack(segmentCount, placementOffset) };
        SlotShift = System.Numerics.BitOperations.Log2((uint)segmentBytes) - BlockShift;
    }

    /// <summary>Physical segments.</summary>
    public int SegmentCount => (int)Volatile.Read(ref _ring.Word);

    /// <summary>What is added to a sequence before its place is taken from it.</summary>
    public int PlacementOffset => (int)(Volatile.Read(ref _ring.Word) >> 32);

    /// <summary>Both of one moment.</summary>
    public (int Count, int Shift) Placement
    {
        get
        {
            long word = Volatile.Read(ref _ring.Word);
            return ((int)word, (int)(word >> 32));
        }
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

    /// <summary>The same, but no more than a cache may have.</summary>
    public static long MostSegmentsIn(long cacheBytes, int segmentBytes) =>
        SegmentsIn(System.Math.Min(cacheBytes, MaxCacheBytes), segmentBytes);

    /// <summary>Segment sequence of a position.</summary>
    public long SegmentOf(long position) => position >> SlotShift;

    /// <summary>Slot within its segment.</summary>
    public int SlotOf(long position) => (int)(position & (SlotsPerSegment - 1));

    /// <summary>The position of a slot.</summary>
    public long Position(long segment, int slot) => (segment << SlotShift) + slot;

    /// <summary>Bytes of the cache device up to the last segment's end.</summary>
    public long UsedBytes => SuperblockRegionBytes + ((long)SegmentCount * SegmentBytes);

    /// <summary>Where segment <paramref name="segment"/> lies.</summary>
    public int Physical(long segment)
    {
        long word = Volatile.Read(ref _ring.Word);
        return (int)((segment + (word >> 32)) % (int)word);
    }

    /// <summary>The slot's number on the device.</summary>
    public uint PhysicalSlot(long position) =>
        ((uint)Physical(SegmentOf(position)) << SlotShift) + (uint)SlotOf(position);

    /// <summary>Byte offset of a position on the cache device.</summary>
    public long OffsetOf(long position) =>
        SuperblockRegionBytes + ((long)Physical(SegmentOf(position)) * SegmentBytes)
        + ((long)SlotOf(position) << BlockShift);

    /// <summary>
    /// The segments from <paramref name="tail"/> to <paramref name="head"/> lie in one piece: the log may go on behind
    /// them, into room that the device has gained, without any of them moving.
    /// </summary>
    public bool IsUnwrapped(long tail, long head) => head < tail || Physical(tail) <= Physical(head);

    /// <summary>
    /// The geometry of the same cache with more segments, in which all up to <paramref name="head"/> that are in use,
    /// and do not wrap, lie where they do now.
    /// </summary>
    public Geometry Grown(int segmentCount, long head)
    {
        Invariant.Check(segmentCount > SegmentCount);
        long shift = (Physical(head) - head) % segmentCount;
        return new Geometry(SegmentBytes, segmentCount, (int)(shift < 0 ? shift + segmentCount : shift));
    }

    /// <summary>From now on this geometry, in all its copies, is <paramref name="grown"/>.</summary>
    public void Adopt(in Geometry grown) => Volatile.Write(ref _ring.Word, grown._ring.Word);

    /// <summary>Byte offset of a physical slot.</summary>
    public static long OffsetOfPhysical(uint physicalSlot) =>
        SuperblockRegionBytes + ((long)physicalSlot << BlockShift);

    private static long Pack(int count, int shift) => ((long)shift << 32) | (uint)count;

    private sealed class Ring
    {
        public long Word;
    }
}

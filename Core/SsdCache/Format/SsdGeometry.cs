using System;
using System.Numerics;
using Weir.Core.Base;
using Weir.Core.Caching;

namespace Weir.Core.SsdCache.Format;

/*
 * 0      4 KiB  8 KiB                                                        DataOffset
 * | copy | copy | page 0 | page 1 | ... | page 0 | page 1 | ... | (unused) | way 0 of all sets | way 1 | ... | way 15 |
 *   superblock    directory, slot 0       directory, slot 1                  places
 *
 * A set is 16 places. Neighbouring sets of a way are neighbours on the device, so that blocks that follow each other
 * can be read and written with one operation.
 */

/// <summary>Sizes of a set-associative cache, and where everything lies on its device. Nothing of it changes.</summary>
internal sealed record SsdGeometry
{
    /// <summary>Places of a set (dm-ssdcache: CTE per CMD).</summary>
    public const int Ways = 16;
    /// <summary>Bytes of a sector, and of a unit that is dirty as a whole.</summary>
    public const int SectorBytes = 512, UnitBytes = 4096;
    /// <summary>The smallest and the largest block: powers of two between them.</summary>
    public const int MinBlockBytes = 4 << 10, MaxBlockBytes = 1 << 20;
    /// <summary>Most places: their numbers are 32 bits, and one stays free for "none".</summary>
    public const long MaxSlots = 1L << 31;
    /// <summary>Most blocks of a backing device: a tag is 32 bits, of which one value is nothing's.</summary>
    public const long MaxBlocks = uint.MaxValue - 1;
    /// <summary>Most further sets that are tried.</summary>
    public const int MaxAssoc = 16;
    /// <summary>Where the directory begins: behind both copies of the superblock.</summary>
    public const long DirectoryOffset = 2L * SsdSuperblock.Bytes;

    private const int MinPageBytes = 4096;
    // Below it 1 MiB for the sake of alignment would be more than a hundredth.
    private const long LargeDeviceBytes = 128L << 20, LargeAlignment = 1L << 20;

    private readonly ulong _setsInverse, _stepsInverse;

    private SsdGeometry(int blockBytes, long sets, long dataOffset)
    {
        Invariant.Check(IsBlockSize(blockBytes));
        Invariant.Check(sets is > 0 and <= MaxSlots / Ways);
        BlockBytes = blockBytes;
        Sets = sets;
        PageBytes = PageBytesOf(blockBytes);
        SetsPerPage = SetsPerPageOf(blockBytes);
        Pages = (int)((sets + SetsPerPage - 1) / SetsPerPage);
        DataOffset = dataOffset;
        Invariant.Check(dataOffset >= PageOffset(0, 2));
        (_setsInverse, _stepsInverse) = (InverseOf(sets), InverseOf(sets - 1));
    }

    /// <summary>Bytes of a block.</summary>
    public int BlockBytes { get; }

    /// <summary>Sectors of a block.</summary>
    public int BlockSectors => BlockBytes / SectorBytes;

    /// <summary>Units of a block that are dirty as a whole.</summary>
    public int BlockUnits => BlockBytes / UnitBytes;

    /// <summary>Logarithm of <see cref="BlockBytes"/>.</summary>
    public int BlockShift => BitOperations.Log2((uint)BlockBytes);

    /// <summary>Sets of 16 places.</summary>
    public long Sets { get; }

    /// <summary>All places; number: set * 16 + way.</summary>
    public uint Slots => (uint)(Sets * Ways);

    /// <summary>Pages of the directory.</summary>
    public int Pages { get; }

    /// <summary>Whole sets that a page describes; the last page may have fewer.</summary>
    public int SetsPerPage { get; }

    /// <summary>Bytes of a page: 4096, or as many times that as one set needs.</summary>
    public int PageBytes { get; }

    /// <summary>Where the places begin.</summary>
    public long DataOffset { get; }

    /// <summary>Words of the bitmap of a block's valid sectors.</summary>
    public int WordsPerBitmap => SectorBitmap.WordsFor(BlockSectors);

    /// <summary>Words of the bitmap of a block's dirty units.</summary>
    public int DirtyWords => SectorBitmap.WordsFor(BlockUnits);

    /// <summary>Bytes of an entry of the directory.</summary>
    public int EntryBytes => EntryBytesOf(BlockBytes);

    /// <summary>Bytes of the cache device that are in use.</summary>
    public long EndOffset => DataOffset + (Sets * Ways * BlockBytes);

    /// <summary>Can be the size of a block.</summary>
    public static bool IsBlockSize(long bytes) =>
        bytes is >= MinBlockBytes and <= MaxBlockBytes && BitOperations.IsPow2(bytes);

    /// <summary>
    /// As many sets as fit on a device of <paramref name="cacheBytes"/> bytes, which messages call
    /// <paramref name="device"/>.
    /// </summary>
    /// <exception cref="UserErrorException">It is too small or too large, or the size cannot be that of a block.
    /// </exception>
    public static SsdGeometry For(long cacheBytes, int blockBytes, string device = "cache device")
    {
        if (!IsBlockSize(blockBytes))
            throw new UserErrorException($"block size {blockBytes} bytes: expected a power of two from "
                + $"{ByteSize.Format(MinBlockBytes)} to {ByteSize.Format(MaxBlockBytes)}", 2);
        if (EndOf(cacheBytes, blockBytes, 1) > cacheBytes)
            throw new UserErrorException($"{device}: too small for a cache: {cacheBytes} bytes; expected at least "
                + $"{EndOf(cacheBytes, blockBytes, 1)} with blocks of {ByteSize.Format(blockBytes)}");
        long sets = MostSets(cacheBytes, blockBytes);
        if (sets > MaxSlots / Ways)
            throw new UserErrorException($"{device}: too large for blocks of {ByteSize.Format(blockBytes)}: "
                + $"{cacheBytes} bytes, expected room for at most {MaxSlots} blocks; "
                + SizeThatWouldDo(size => MostSets(cacheBytes, size) <= MaxSlots / Ways));
        return new SsdGeometry(blockBytes, sets, DataOffsetOf(cacheBytes, blockBytes, sets));
    }

    /// <summary>The geometry that a consistent superblock describes.</summary>
    public static SsdGeometry Of(in SsdSuperblock superblock) =>
        new(superblock.BlockBytes, superblock.Sets, superblock.DataOffset);

    /// <summary>These can be a cache's: asked of what was read.</summary>
    public static bool IsPossible(long blockBytes, long sets, long dataOffset) =>
        IsBlockSize(blockBytes) && sets is > 0 and <= MaxSlots / Ways
        && dataOffset >= DirectoryEnd((int)blockBytes, sets) && dataOffset % UnitBytes == 0
        && dataOffset <= DirectoryEnd((int)blockBytes, sets) + LargeAlignment;

    /// <summary>First byte of a place.</summary>
    public long PlaceOffset(uint slot)
    {
        Invariant.Check(slot < Slots);
        return DataOffset + (((slot % Ways * Sets) + (slot / Ways)) << BlockShift);
    }

    /// <summary>First byte of a page's slot, 0 or 1.</summary>
    public long PageOffset(int page, int slot) => DirectoryOffset + ((((long)slot * Pages) + page) * PageBytes);

    /// <summary>
    /// The set in which a block is looked for at attempt 0, and at further ones: each time a step further, that the
    /// block decides and that is never a whole round (dm-ssdcache: double hashing).
    /// </summary>
    public uint SetOf(uint block, int attempt)
    {
        Invariant.Check(attempt is >= 0 and <= MaxAssoc);
        uint home = Rest(block, _setsInverse, (uint)Sets);
        return attempt == 0 ? home : Rest(home + ((uint)attempt * StepOf(block)), _setsInverse, (uint)Sets);
    }

    /// <summary>From one set of a block to its next.</summary>
    public uint StepOf(uint block) => Sets == 1 ? 0 : 1 + Rest(Hash(block), _stepsInverse, (uint)Sets - 1);

    /// <summary>The set behind <paramref name="set"/> with this step: the same as at the next attempt.</summary>
    public uint NextSet(uint set, uint step)
    {
        uint next = set + step;
        return next >= Sets ? next - (uint)Sets : next;
    }

    /// <summary>The page that describes a set.</summary>
    public int PageOf(uint set) => (int)(set / (uint)SetsPerPage);

    /// <summary>The first set of a page.</summary>
    public uint FirstSetOf(int page) => (uint)page * (uint)SetsPerPage;

    /// <summary>Sets that a page describes.</summary>
    public int SetsOf(int page) => (int)Math.Min(SetsPerPage, Sets - FirstSetOf(page));

    /// <summary>
    /// Blocks of a backing device of so many bytes, which messages call <paramref name="device"/>; the last block may
    /// be short.
    /// </summary>
    /// <exception cref="UserErrorException">There are more than tags can number.</exception>
    public long BlocksOf(long backingBytes, string device = "backing device")
    {
        long blocks = BlocksIn(backingBytes, BlockBytes);
        return blocks <= MaxBlocks ? blocks : throw new UserErrorException(
            $"{device}: too large for blocks of {ByteSize.Format(BlockBytes)}: {backingBytes} bytes are {blocks} "
            + $"blocks, expected at most {MaxBlocks}; "
            + SizeThatWouldDo(size => BlocksIn(backingBytes, size) <= MaxBlocks));
    }

    private static long BlocksIn(long bytes, int blockBytes) =>
        (bytes / blockBytes) + (bytes % blockBytes == 0 ? 0 : 1);

    private static string SizeThatWouldDo(Func<int, bool> isEnough)
    {
        for (int size = MinBlockBytes; size <= MaxBlockBytes; size *= 2)
            if (isEnough(size)) return $"blocks of {ByteSize.Format(size)} would do";
        return "no size of a block would do";
    }

    // The end rises with the sets: halve until the most that fit are found.
    private static long MostSets(long cacheBytes, int blockBytes)
    {
        long fits = 1, tooMany = (cacheBytes / blockBytes / Ways) + 1;
        while (tooMany - fits > 1)
        {
            long middle = fits + ((tooMany - fits) / 2);
            if (EndOf(cacheBytes, blockBytes, middle) <= cacheBytes) fits = middle;
            else tooMany = middle;
        }
        return fits;
    }

    private static long EndOf(long cacheBytes, int blockBytes, long sets) =>
        DataOffsetOf(cacheBytes, blockBytes, sets) + (sets * Ways * blockBytes);

    private static long DataOffsetOf(long cacheBytes, int blockBytes, long sets)
    {
        long end = DirectoryEnd(blockBytes, sets);
        return cacheBytes < LargeDeviceBytes ? end : (end + LargeAlignment - 1) & -LargeAlignment;
    }

    private static long DirectoryEnd(int blockBytes, long sets)
    {
        long pages = (sets + SetsPerPageOf(blockBytes) - 1) / SetsPerPageOf(blockBytes);
        return DirectoryOffset + (2 * pages * PageBytesOf(blockBytes));
    }

    private static int EntryBytesOf(int blockBytes) => DirectoryPage.EntryHeadBytes + (sizeof(ulong)
        * (SectorBitmap.WordsFor(blockBytes / SectorBytes) + SectorBitmap.WordsFor(blockBytes / UnitBytes)));

    private static int PageBytesOf(int blockBytes)
    {
        int needed = DirectoryPage.HeaderBytes + (Ways * EntryBytesOf(blockBytes));
        return (needed + MinPageBytes - 1) / MinPageBytes * MinPageBytes;
    }

    private static int SetsPerPageOf(int blockBytes) =>
        (PageBytesOf(blockBytes) - DirectoryPage.HeaderBytes) / (Ways * EntryBytesOf(blockBytes));

    // Remainder by two multiplications (Lemire, Kaser, Kurz 2019): exact for all 32-bit values and divisors above 1,
    // and for 1, whose inverse is 0 here.
    private static uint Rest(uint value, ulong inverse, uint divisor) =>
        (uint)Math.BigMul(unchecked(inverse * value), divisor, out _);

    private static ulong InverseOf(long divisor) => divisor <= 1 ? 0 : (ulong.MaxValue / (ulong)divisor) + 1;

    // The finalizer of MurmurHash3, 32 bits: neighbours part.
    private static uint Hash(uint value)
    {
        value = (value ^ (value >> 16)) * 0x85EBCA6B;
        value = (value ^ (value >> 13)) * 0xC2B2AE35;
        return value ^ (value >> 16);
    }
}

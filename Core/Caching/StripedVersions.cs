using System;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Threading;
using Weir.Core.Base;

namespace Weir.Core.Caching;

/// <summary>
/// Tells whether blocks may have changed since a moment (R10). Blocks share cells, eight neighbours at a time and by
/// hash: a cell that moved may have moved for another block, and then something is not cached; never the other way.
/// <code>
///  63              32 31           16 15            0
///  | changes begun   | going round   | being logged  |
/// </code>
/// Protocol. Everybody who changes blocks begins before it takes log slots or touches the backing device, and ends when
/// the index shows the change, or the backing device has it. All steps are atomic adds.
/// <list type="bullet">
/// <item>A reader that wants to stage what it reads samples the cells before it looks the blocks up: nobody may be at
/// work there. It takes its log slot, then looks again, under the index bucket's latch, and enters the block only when
/// the cells are what they were. Whoever begins later takes a later slot, or comes to the bucket later and finds the
/// block there.</item>
/// <item>A writer that goes round the log begins that way, and gives way when somebody is logging there. A writer that
/// logs waits for those that go round.</item>
/// </list>
/// Discards and zeroes of many blocks have one cell for all of them.
/// </summary>
public sealed unsafe class StripedVersions : IDisposable
{
    /// <summary>A sample that says: do not stage.</summary>
    public const long Busy = -1;

    private const int GranuleShift = 3, VersionShift = 32;
    private const long Version = 1L << VersionShift, Around = 1L << 16, Logging = 1, Working = Version - 1;
    private const int MinCells = 64, MaxCells = 1 << 16, SlotsPerCell = 128;

    private readonly long* _cells;
    private readonly int _count;

    /// <summary>A table for a cache of <paramref name="slotCount"/> slots.</summary>
    public StripedVersions(long slotCount)
    {
        _count = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Clamp(slotCount / SlotsPerCell, MinCells, MaxCells));
        // One more, in a cache line of its own, for ranges.
        _cells = (long*)NativeMemory.AlignedAlloc((nuint)(_count + 16) * sizeof(long), 128);
        NativeMemory.Clear(_cells, (nuint)(_count + 16) * sizeof(long));
    }

    /// <summary>Bytes of its cells.</summary>
    public long BytesUsed => (_count + 16) * sizeof(long);

    /// <summary>Blocks that share a cell because they are neighbours.</summary>
    public const int GranuleBlocks = 1 << GranuleShift;

    /// <summary>The key begins a group of blocks that share a cell.</summary>
    public static bool IsGranuleStart(ulong key) => (key & (GranuleBlocks - 1)) == 0;

    /// <summary>
    /// The caller is about to log changes of <paramref name="blocks"/> blocks. True when somebody who goes round the
    /// log may be at work on the same ones.
    /// </summary>
    public bool BeginLogging(ulong key, int blocks) => Add(key, blocks, Version + Logging, Around * 0xFFFF);

    /// <summary>The index shows the change, or nothing came of it.</summary>
    public void EndLogging(ulong key, int blocks) => Add(key, blocks, -Logging, 0);

    /// <summary>The caller is about to log a range of any length.</summary>
    public void BeginRange() => Interlocked.Add(ref *RangeCell, Version + Logging);

    /// <summary>The range is in the map.</summary>
    public void EndRange() => Interlocked.Add(ref *RangeCell, -Logging);

    /// <summary>
    /// The caller is about to change blocks on the backing device. True when somebody is logging a change that may be
    /// of the same ones.
    /// </summary>
    public bool BeginAround(ulong key, int blocks) =>
        Add(key, blocks, Version + Around, Logging * 0xFFFF) | (Volatile.Read(ref *RangeCell) & Working) != 0;

    /// <summary>The backing device has it.</summary>
    public void EndAround(ulong key, int blocks) => Add(key, blocks, -Around, 0);

    /// <summary>
    /// The changes begun in the cell of block <paramref name="key"/>; <see cref="Busy"/> while somebody is at work.
    /// </summary>
    public long SampleGranule(ulong key) => Begun(Volatile.Read(ref *CellOf(key >> GranuleShift)));

    /// <summary>The same for ranges.</summary>
    public long SampleRanges() => Begun(Volatile.Read(ref *RangeCell));

    /// <summary>Two samples in one: each only grows, so equal sums say that nothing began between.</summary>
    public static long Sum(long a, long b) => a == Busy || b == Busy ? Busy : a + b;

    /// <summary>The sum of the samples of ranges and of the cells of <paramref name="blocks"/> blocks.</summary>
    public long Sample(ulong key, int blocks)
    {
        long sum = SampleRanges();
        ulong last = (key + (ulong)blocks - 1) >> GranuleShift;
        for (ulong granule = key >> GranuleShift; granule <= last; granule++)
            sum = Sum(sum, Begun(Volatile.Read(ref *CellOf(granule))));
        return sum;
    }

    /// <summary>Nothing has changed, or begun to, since <paramref name="sample"/> was taken of these blocks.</summary>
    public bool IsUnchanged(ulong key, int blocks, long sample) =>
        Mutant.Is(SharedMutant.R10StaleStaged) || Mutant.Is(SharedMutant.R10CleanBeatsDirty)
        || Sample(key, blocks) == sample;

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.AlignedFree(_cells);

    private long* RangeCell => _cells + _count;

    private static long Begun(long cell) => (cell & Working) != 0 ? Busy : (long)((ulong)cell >> VersionShift);

    private bool Add(ulong key, int blocks, long change, long conflict)
    {
        Invariant.Check(blocks > 0);
        bool conflicts = false;
        ulong last = (key + (ulong)blocks - 1) >> GranuleShift;
        for (ulong granule = key >> GranuleShift; granule <= last; granule++)
            conflicts |= (Interlocked.Add(ref *CellOf(granule), change) & conflict) != 0;
        return conflicts;
    }

    private long* CellOf(ulong granule)
    {
        ulong hash = granule * 0x9E3779B97F4A7C15;
        return &_cells[(hash >> 40) & (ulong)(_count - 1)];
    }
}

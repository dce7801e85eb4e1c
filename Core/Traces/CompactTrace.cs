using System;
using System.Collections.Generic;

namespace Weir.Core.Traces;

/// <summary>
/// A trace as accesses of numbered blocks, in memory: 8 bytes each. Any thread reads it; it never changes.
/// </summary>
public sealed class CompactTrace
{
    /// <summary>Accesses of a chunk: so that a long trace needs no array beyond what there can be.</summary>
    internal const int ChunkBits = 20;

    private readonly List<BlockAccess[]> _chunks;
    private readonly long[] _homes;

    internal CompactTrace(
        List<BlockAccess[]> chunks, long accesses, long[] homes, long homeCount, in TraceFigures figures)
    {
        _chunks = chunks;
        _homes = homes;
        Accesses = accesses;
        HomeCount = homeCount;
        Figures = figures;
    }

    /// <summary>What it is made of.</summary>
    public TraceFigures Figures { get; }

    /// <summary>Accesses of blocks.</summary>
    public long Accesses { get; }

    /// <summary>Different blocks.</summary>
    public int Blocks => _homes.Length;

    /// <summary>Blocks of the devices that it is of, as far as it shows.</summary>
    internal long HomeCount { get; }

    /// <summary>Where a block lies, by its number.</summary>
    internal ReadOnlySpan<long> Homes => _homes;

    /// <summary>Pieces of the trace, all but the last of the same length.</summary>
    internal int ChunkCount => _chunks.Count;

    /// <summary>One of them.</summary>
    internal ReadOnlySpan<BlockAccess> Chunk(int index)
    {
        long left = Accesses - ((long)index << ChunkBits);
        return _chunks[index].AsSpan(0, (int)Math.Min(1 << ChunkBits, left));
    }

    /// <summary>Places of a cache of <paramref name="percent"/> of all blocks; at least one.</summary>
    public uint PlacesOf(double percent) =>
        (uint)Math.Clamp(Math.Ceiling(Blocks * percent / 100), 1, uint.MaxValue / 2);
}

/// <summary>Counts of a trace.</summary>
/// <param name="BlockBytes">Requests were split into blocks of this size.</param>
/// <param name="Requests">Reads and writes.</param>
/// <param name="Writes">Of these.</param>
/// <param name="Discards">Requests besides, that are not simulated.</param>
/// <param name="Bytes">Of all reads and writes.</param>
/// <param name="SpanUs">From the first to the last; 0: the trace has no times.</param>
public readonly record struct TraceFigures(
    int BlockBytes, long Requests, long Writes, long Discards, long Bytes, long SpanUs);

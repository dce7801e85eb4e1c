using System;
using System.Diagnostics;
using Weir.Core.Base;

namespace Weir.Core.Traces;

/// <summary>
/// The fewest misses that any cache of a size can have on a trace (L. A. Belady, IBM Systems Journal 5, 1966): it knows
/// the future, keeps what is wanted soonest, and brings nothing in that is wanted later than all it has. What a policy
/// cannot reach, no policy can.
/// </summary>
internal sealed class Belady
{
    private const uint Never = uint.MaxValue;

    private readonly CompactTrace _trace;
    private readonly uint[][] _next;

    /// <summary>Looks for the next access of the same block of each, from the end.</summary>
    public Belady(CompactTrace trace)
    {
        Invariant.Check(trace.Accesses < Never);
        _trace = trace;
        _next = new uint[trace.ChunkCount][];
        uint[] nearest = new uint[trace.Blocks];
        Array.Fill(nearest, Never);
        for (int chunk = trace.ChunkCount - 1; chunk >= 0; chunk--)
        {
            ReadOnlySpan<BlockAccess> accesses = trace.Chunk(chunk);
            uint[] next = _next[chunk] = new uint[accesses.Length];
            for (int i = accesses.Length - 1; i >= 0; i--)
            {
                ref uint at = ref nearest[accesses[i].Block];
                next[i] = at;
                at = ((uint)chunk << CompactTrace.ChunkBits) + (uint)i;
            }
        }
    }

    /// <summary>A cache of <paramref name="places"/> blocks. Any thread.</summary>
    /// <param name="places">At least 1.</param>
    /// <param name="progress">Takes accesses done, a piece at a time.</param>
    public SimulationCounts Run(uint places, SimulationProgress progress)
    {
        long start = Stopwatch.GetTimestamp();
        SimulationCounts counts = new() { Accesses = _trace.Accesses, Requests = _trace.Figures.Requests };
        // A cached block is the position of its next access.
        PositionSet cached = new(Math.Max(1, _trace.Accesses));
        bool isMissing = false;
        long position = 0;
        for (int chunk = 0; chunk < _trace.ChunkCount; chunk++)
        {
            ReadOnlySpan<BlockAccess> accesses = _trace.Chunk(chunk);
            ReadOnlySpan<uint> nexts = _next[chunk];
            for (int i = 0; i < accesses.Length; i++, position++)
            {
                if ((accesses[i].Flags & BlockAccessFlags.Begins) != 0)
                {
                    if (isMissing) counts.RequestMisses++;
                    isMissing = false;
                }
                bool isHit = cached.Contains(position);
                if (isHit) cached.Remove(position);
                else
                {
                    counts.Misses++;
                    isMissing = true;
                }
                if (nexts[i] != Never) Keep(cached, nexts[i], isHit, places, ref counts);
            }
            progress.Add(accesses.Length);
        }
        if (isMissing) counts.RequestMisses++;
        counts.Seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        return counts;
    }

    private static void Keep(PositionSet cached, uint next, bool wasHit, uint places, ref SimulationCounts counts)
    {
        if (cached.Count < places) cached.Add(next);
        else
        {
            long latest = cached.Largest();
            if (latest <= next) return;
            cached.Remove(latest);
            cached.Add(next);
            counts.Evictions++;
        }
        if (!wasHit) counts.Promotions++;
    }
}

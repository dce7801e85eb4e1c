using System;
using System.Collections.Generic;
using System.Linq;
using Weir.Core.Base;
using Weir.Core.Traces;

namespace Weir.Tests.Traces;

/// <summary>Small traces for tests, and what caches of plain lists do with them.</summary>
internal static class TraceModel
{
    public const int BlockBytes = 4096;

    /// <summary>A trace of reads of one block each.</summary>
    public static CompactTrace Of(params ReadOnlySpan<int> blocks)
    {
        CompactTraceBuilder builder = new(BlockBytes, hasObjects: true);
        foreach (int block in blocks)
            builder.Add(new TraceRecord { OffsetBytes = block, LengthBytes = BlockBytes });
        return builder.Finish();
    }

    /// <summary>Blocks wanted at random, some more than others.</summary>
    public static int[] Random(ref Prng random, int length, int blocks)
    {
        int[] found = new int[length];
        for (int i = 0; i < length; i++) found[i] = random.Below(random.Below(blocks) + 1);
        return found;
    }

    /// <summary>Misses of an LRU cache.</summary>
    public static int LruMisses(ReadOnlySpan<int> blocks, int places)
    {
        LinkedList<int> cached = [];
        int misses = 0;
        foreach (int block in blocks)
        {
            if (!cached.Remove(block)) misses++;
            cached.AddFirst(block);
            if (cached.Count > places) cached.RemoveLast();
        }
        return misses;
    }

    /// <summary>The fewest misses that there can be: every choice is tried, after each access.</summary>
    public static int FewestMisses(ReadOnlySpan<int> blocks, int places)
    {
        // What can be cached, as bits, and the fewest misses that lead there.
        Dictionary<uint, int> ways = new() { [0] = 0 };
        foreach (int block in blocks)
        {
            Dictionary<uint, int> next = [];
            uint bit = 1u << block;
            foreach ((uint cached, int misses) in ways)
            {
                int now = (cached & bit) != 0 ? misses : misses + 1;
                uint all = cached | bit;
                // Anything may be kept of what was there and of what has come.
                foreach (uint kept in Subsets(all, places))
                    next[kept] = next.TryGetValue(kept, out int best) ? Math.Min(best, now) : now;
            }
            ways = next;
        }
        return ways.Values.Min();
    }

    private static IEnumerable<uint> Subsets(uint all, int places)
    {
        if (uint.PopCount(all) <= places)
        {
            yield return all;
            yield break;
        }
        for (uint left = all; left != 0; left &= left - 1) yield return all & ~(left & ~(left - 1));
    }
}

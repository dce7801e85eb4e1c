using System;
using Weir.Core.Base;

namespace Weir.Frontends.Bench;

/// <summary>The next block of a job; one thread, seeded.</summary>
/// <remarks>
/// Ranks of Zipf's law are spread over the span by a multiplier that shares no factor with their number, so that what
/// is often wanted does not lie together.
/// </remarks>
internal sealed class BlockChooser(BenchJob job, ulong seed)
{
    private const ulong SpreadFactor = 0x9E3779B97F4A7C15;

    private readonly long _blocks = job.Blocks;
    private readonly ZipfLaw _law = new(job.Blocks, job.Theta);
    private readonly ulong _spread = SpreadOver((ulong)job.Blocks);
    private uint[]? _order;
    private ulong _state = (seed * SpreadFactor) | 1;
    private long _next;

    /// <summary>A number of 64 random bits (xorshift64*, S. Vigna 2016).</summary>
    public ulong Random()
    {
        _state ^= _state >> 12;
        _state ^= _state << 25;
        _state ^= _state >> 27;
        return _state * 2685821657736338717;
    }

    /// <summary>The next block's number.</summary>
    public long Next() => job.Pattern switch
    {
        BenchPattern.Sequential => _next++ % _blocks,
        BenchPattern.Random => Below(_blocks),
        BenchPattern.Once => (_order ??= Shuffled())[_next++],
        _ => (long)((ulong)NextRank() * _spread % (ulong)_blocks),
    };

    private long Below(long limit) => (long)Math.BigMul(Random(), (ulong)limit, out _);

    private uint[] Shuffled()
    {
        uint[] order = new uint[_blocks];
        for (uint i = 0; i < order.Length; i++)
        {
            long other = Below(i + 1L);
            order[i] = order[other];
            order[other] = i;
        }
        return order;
    }

    // Below 31 bits, so that ranks of up to 33 bits can be multiplied with it.
    private static ulong SpreadOver(ulong blocks)
    {
        ulong spread = Math.Min(blocks / 2, SpreadFactor >> 33) | 1;
        while (GreatestCommonDivisor(spread, blocks) != 1) spread += 2;
        return spread;
    }

    private static ulong GreatestCommonDivisor(ulong a, ulong b)
    {
        while (b != 0) (a, b) = (b, a % b);
        return a;
    }

    // Of 1 to the number of blocks.
    private long NextRank()
    {
        while (true)
            if (_law.RankOf(Random()) is > 0 and long rank) return rank;
    }
}

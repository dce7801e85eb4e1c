using System;

namespace Weir.Frontends.Bench;

/// <summary>The next block of a job; one thread, seeded.</summary>
/// <remarks>
/// Zipf by rejection-inversion: W. Hörmann, G. Derflinger, "Rejection-inversion to generate variates from monotone
/// discrete distributions", ACM TOMACS 6 (1996); constant memory and time for any number of blocks. Ranks are spread
/// over the span by a multiplier that shares no factor with their number, so that what is often wanted does not lie
/// together.
/// </remarks>
internal sealed class BlockChooser(BenchJob job, ulong seed)
{
    private const ulong SpreadFactor = 0x9E3779B97F4A7C15;

    private readonly long _blocks = job.Blocks;
    private readonly double _low = H(1.5, job.Theta) - 1;
    private readonly double _high = H(job.Blocks + 0.5, job.Theta);
    private readonly double _sure = 2 - InverseH(H(2.5, job.Theta) - Math.Pow(2, -job.Theta), job.Theta);
    private readonly ulong _spread = SpreadOver((ulong)job.Blocks);
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
        BenchPattern.Random => (long)Math.BigMul(Random(), (ulong)_blocks, out _),
        _ => (long)((ulong)NextRank() * _spread % (ulong)_blocks),
    };

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
        {
            double u = _high + ((Random() >> 11) * (1.0 / (1UL << 53)) * (_low - _high));
            double x = InverseH(u, job.Theta);
            long rank = Math.Clamp((long)(x + 0.5), 1, _blocks);
            if (rank - x <= _sure || u >= H(rank + 0.5, job.Theta) - Math.Pow(rank, -job.Theta)) return rank;
        }
    }

    // The integral of x to the power of -theta, and its inverse.
    private static double H(double x, double theta) =>
        theta == 1 ? Math.Log(x) : (Math.Pow(x, 1 - theta) - 1) / (1 - theta);

    private static double InverseH(double x, double theta) =>
        theta == 1 ? Math.Exp(x) : Math.Pow(1 + (x * (1 - theta)), 1 / (1 - theta));
}

using System.Numerics;

namespace Weir.Frontends.Bench;

/// <summary>
/// Latencies in nanoseconds, in buckets of a sixteenth of a power of two: what it says is at most 6 % too high. As HDR
/// histograms and fio count. Written by one thread; nothing is allocated after the start.
/// </summary>
internal sealed class LatencyHistogram
{
    private const int StepBits = 4;
    private const int Steps = 1 << StepBits;

    private readonly long[] _counts = new long[64 * Steps];

    /// <summary>Latencies counted.</summary>
    public long Count { get; private set; }

    /// <summary>One more.</summary>
    public void Add(long ns)
    {
        _counts[BucketOf(ns)]++;
        Count++;
    }

    /// <summary>All of another one's.</summary>
    public void Add(LatencyHistogram other)
    {
        for (int i = 0; i < _counts.Length; i++) _counts[i] += other._counts[i];
        Count += other.Count;
    }

    /// <summary>Forgets all.</summary>
    public void Clear()
    {
        System.Array.Clear(_counts);
        Count = 0;
    }

    /// <summary>What <paramref name="share"/> of all (0 to 1) do not exceed; 0 when there are none.</summary>
    public long Percentile(double share)
    {
        long wanted = (long)System.Math.Ceiling(Count * share);
        long seen = 0;
        for (int i = 0; i < _counts.Length; i++)
        {
            seen += _counts[i];
            if (seen >= wanted && seen > 0) return HighestOf(i);
        }
        return 0;
    }

    private static int BucketOf(long ns)
    {
        if (ns < Steps) return (int)System.Math.Max(ns, 0);
        int power = BitOperations.Log2((ulong)ns);
        return ((power - StepBits + 1) * Steps) + (int)((ns >> (power - StepBits)) & (Steps - 1));
    }

    private static long HighestOf(int bucket)
    {
        if (bucket < Steps) return bucket;
        int shift = (bucket / Steps) - 1;
        return (((long)Steps + (bucket % Steps) + 1) << shift) - 1;
    }
}

using System;
using System.Collections.Generic;
using Weir.Core.Base;

namespace Weir.Core.Traces;

/// <summary>A workload that is made up: the same seed gives the same requests.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Make">So many requests of it, by a seed.</param>
internal sealed record Workload(string Name, Func<long, ulong, IEnumerable<TraceRecord>> Make);

/// <summary>
/// Workloads that are told apart by what a cache makes of them: loops, scans, Zipf's law, changes of what is wanted,
/// and mixtures. Requests are of one block each, unless they are streams.
/// </summary>
internal static class Synthetic
{
    /// <summary>Of one request, and of the grid that they lie on.</summary>
    public const int BlockBytes = 64 << 10;

    /// <summary>Blocks that most of them touch in all.</summary>
    private const int Blocks = 40_000;

    private const int StreamBytes = 128 << 10;

    /// <summary>All of them.</summary>
    public static IReadOnlyList<Workload> All { get; } =
    [
        new("zipf 0.6", static (count, seed) => Zipf(count, seed, 0.6, count)),
        new("zipf 0.8", static (count, seed) => Zipf(count, seed, 0.8, count)),
        new("zipf 1.0", static (count, seed) => Zipf(count, seed, 1.0, count)),
        new("zipf 1.2", static (count, seed) => Zipf(count, seed, 1.2, count)),
        new("loop", static (count, seed) => Loops(count, seed, [Blocks])),
        new("loops", static (count, seed) => Loops(count, seed, [Blocks / 50, Blocks / 12, Blocks / 6, Blocks / 3])),
        new("phases", static (count, seed) => Zipf(count, seed, 1.0, Math.Max(1, count / 8))),
        new("window", Window),
        new("zipf and scans", static (count, seed) => ZipfAndScans(count, seed, isStream: false)),
        new("zipf and streams", static (count, seed) => ZipfAndScans(count, seed, isStream: true)),
        new("zipf and once only", OnceOnly),
        new("mix", Mix),
    ];

    /// <summary>Blocks by Zipf's law; after <paramref name="phase"/> requests others are the popular ones.</summary>
    public static IEnumerable<TraceRecord> Zipf(long count, ulong seed, double theta, long phase)
    {
        Prng random = new(seed);
        int[] order = Shuffled(ref random, Blocks);
        ZipfLaw law = new(Blocks, theta);
        for (long i = 0; i < count; i++)
        {
            if (i > 0 && i % phase == 0) order = Shuffled(ref random, Blocks);
            yield return Block(order[Rank(law, ref random) - 1], ref random, i);
        }
    }

    // Each round and round, in an order that is no stream, in turns of a few rounds.
    private static IEnumerable<TraceRecord> Loops(long count, ulong seed, int[] lengths)
    {
        const int roundsMost = 4;
        Prng random = new(seed);
        int[][] loops = new int[lengths.Length][];
        for (int i = 0; i < loops.Length; i++) loops[i] = Shuffled(ref random, lengths[i]);
        for (long i = 0; i < count;)
        {
            int loop = random.Below(loops.Length);
            long end = Math.Min(count, i + ((long)loops[loop].Length * random.Between(1, roundsMost)));
            for (long at = 0; i < end; at++)
                yield return Block(((long)loop * Blocks) + loops[loop][at % loops[loop].Length], ref random, i++);
        }
    }

    // What is wanted lies near each other, and moves on: a queue, a log that is read again.
    private static IEnumerable<TraceRecord> Window(long count, ulong seed)
    {
        Prng random = new(seed);
        int[] order = Shuffled(ref random, Blocks);
        for (long i = 0; i < count; i++)
        {
            int at = (int)((i * Blocks / count) + (random.Below(random.Below(Blocks / 10) + 1)));
            yield return Block(order[at % Blocks], ref random, i);
        }
    }

    // Half of the requests go once over a large range, again and again another one.
    private static IEnumerable<TraceRecord> ZipfAndScans(long count, ulong seed, bool isStream)
    {
        Prng random = new(seed);
        int[] order = Shuffled(ref random, Blocks), scan = Shuffled(ref random, Blocks);
        ZipfLaw law = new(Blocks, 1.0);
        int at = 0;
        for (long i = 0; i < count; i++)
        {
            bool scans = i / (Blocks / 4) % 2 == 1;
            if (!scans) yield return Block(order[Rank(law, ref random) - 1], ref random, i);
            else if (isStream) yield return Stream((2L * Blocks * BlockBytes) + ((long)at++ * StreamBytes), i);
            else yield return Block(((2L + (at / Blocks)) * Blocks) + scan[at++ % Blocks], ref random, i);
        }
    }

    // A third of what is wanted is never wanted again.
    private static IEnumerable<TraceRecord> OnceOnly(long count, ulong seed)
    {
        Prng random = new(seed);
        int[] order = Shuffled(ref random, Blocks);
        ZipfLaw law = new(Blocks, 0.9);
        for (long i = 0; i < count; i++)
        {
            // No neighbours: a multiplier without a common factor spreads them.
            bool isOnce = random.Chance(33);
            long block = isOnce ? Blocks + (i * 7919 % (count * 2)) : order[Rank(law, ref random) - 1];
            yield return Block(block, ref random, i);
        }
    }

    // Popular blocks that change, a loop, and now and then a stream.
    private static IEnumerable<TraceRecord> Mix(long count, ulong seed)
    {
        Prng random = new(seed);
        int[] order = Shuffled(ref random, Blocks), loop = Shuffled(ref random, Blocks / 8);
        ZipfLaw law = new(Blocks, 0.9);
        long looped = 0, streamed = 0;
        for (long i = 0; i < count; i++)
        {
            if (i > 0 && i % Math.Max(1, count / 5) == 0) order = Shuffled(ref random, Blocks);
            int kind = random.Below(10);
            if (kind < 6) yield return Block(order[Rank(law, ref random) - 1], ref random, i);
            else if (kind < 9) yield return Block(Blocks + loop[looped++ % loop.Length], ref random, i);
            else yield return Stream((3L * Blocks * BlockBytes) + (streamed++ * StreamBytes), i);
        }
    }

    // A quarter writes, as in what servers do; every ten thousandth of a second one.
    private static TraceRecord Block(long block, ref Prng random, long number) => new()
    {
        Op = random.Chance(25) ? TraceOp.Write : TraceOp.Read, OffsetBytes = block * BlockBytes,
        LengthBytes = 4096, TimeUs = number * 100,
    };

    private static TraceRecord Stream(long offset, long number) => new()
    {
        Op = TraceOp.Read, OffsetBytes = offset, LengthBytes = StreamBytes, TimeUs = number * 100,
    };

    private static int[] Shuffled(ref Prng random, int count)
    {
        int[] order = new int[count];
        for (int i = 0; i < count; i++)
        {
            int other = random.Below(i + 1);
            order[i] = order[other];
            order[other] = i;
        }
        return order;
    }

    private static long Rank(in ZipfLaw law, ref Prng random)
    {
        while (true)
            if (law.RankOf(random.Next()) is > 0 and long rank) return rank;
    }
}

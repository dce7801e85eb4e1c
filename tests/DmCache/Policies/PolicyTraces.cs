using System;
using System.Collections.Generic;

namespace Weir.Tests.DmCache.Policies;

/// <summary>Requests that policies are compared on: homes, one after the other.</summary>
internal static class PolicyTraces
{
    /// <summary>Some blocks often, most seldom: the probability falls with the rank.</summary>
    public static IEnumerable<long> Zipf(int seed, int homes, int requests, double exponent = 1)
    {
        Random random = new(seed);
        double[] sums = new double[homes];
        double sum = 0;
        for (int i = 0; i < homes; i++) sums[i] = sum += 1 / Math.Pow(i + 1, exponent);
        for (int i = 0; i < requests; i++)
        {
            int rank = Array.BinarySearch(sums, random.NextDouble() * sum);
            yield return rank < 0 ? ~rank : rank;
        }
    }

    /// <summary>The same blocks in the same order, again and again.</summary>
    public static IEnumerable<long> Loop(int homes, int requests)
    {
        for (int i = 0; i < requests; i++) yield return i % homes;
    }

    /// <summary>Any of so many neighbours, which move on at every third: what was used last is wanted most.</summary>
    public static IEnumerable<long> Window(int seed, int width, int requests)
    {
        Random random = new(seed);
        for (int i = 0; i < requests; i++) yield return (i / 3) + random.Next(width);
    }

    /// <summary>Zipf with a scan of blocks that never come again between, and a loop, and another hot set.</summary>
    public static IEnumerable<long> Mixed(int seed, int homes, int requests)
    {
        Random random = new(seed);
        int part = requests / 8;
        for (int phase = 0; phase < 8; phase++)
        {
            long offset = phase >= 4 ? homes : 0;
            foreach (long home in Zipf(seed + phase, homes, part))
            {
                yield return home + offset;
                if (phase % 3 == 1) yield return 1_000_000L + (phase * part) + random.Next(part);
                if (phase % 3 == 2) yield return 500_000L + random.Next(homes / 4);
            }
        }
    }
}

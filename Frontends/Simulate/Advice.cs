using System;
using System.Globalization;
using Weir.Core.Base;
using Weir.Core.Traces;

namespace Weir.Frontends.Simulate;

/// <summary>Which policy, and how much cache: a sentence.</summary>
internal static class Advice
{
    /// <summary>A size is enough when it hits so much of what the largest does.</summary>
    private const double SufficientShare = 0.9;

    /// <summary>Hits of fewer accesses than this are no help.</summary>
    private const double FewHits = 0.05;

    /// <summary>The sentence.</summary>
    public static string Of(SimulateResult result)
    {
        SimulationMatrix matrix = result.Matrix;
        int policy = BestPolicy(matrix), largest = Largest(matrix);
        double most = Hits(matrix.Of(policy, largest));
        if (most < FewHits)
            return string.Create(CultureInfo.InvariantCulture, $"A cache of {Size(result, largest)} would hit "
                + $"{100 * most:0.0} % of the accesses only, with {matrix.Policies[policy]}; the optimum is "
                + $"{100 * Hits(matrix.OptimumOf(largest)):0.0} %.");
        int size = Sufficient(matrix, policy, SufficientShare * most);
        string more = size == largest ? ""
            : string.Create(CultureInfo.InvariantCulture, $" {Size(result, largest)} would hit {100 * most:0.0} %.");
        return string.Create(CultureInfo.InvariantCulture, $"{matrix.Policies[policy]} with {Size(result, size)} would "
            + $"serve this: it hits {100 * Hits(matrix.Of(policy, size)):0.0} % of the accesses; the optimum is "
            + $"{100 * Hits(matrix.OptimumOf(size)):0.0} %.{more}");
    }

    /// <summary>The fewest misses at a size.</summary>
    public static long Fewest(SimulationMatrix matrix, int size)
    {
        long fewest = long.MaxValue;
        for (int policy = 0; policy < matrix.Policies.Count; policy++)
            fewest = Math.Min(fewest, matrix.Of(policy, size).Misses);
        return fewest;
    }

    /// <summary>The one with the fewest misses over all sizes, each counting as much; of equals the first.</summary>
    public static int BestPolicy(SimulationMatrix matrix)
    {
        int best = 0;
        for (int policy = 1; policy < matrix.Policies.Count; policy++)
            if (Mean(matrix, policy) < Mean(matrix, best)) best = policy;
        return best;
    }

    /// <summary>Misses of a policy over all sizes, each counting as much: to compare, not to show.</summary>
    public static double Mean(SimulationMatrix matrix, int policy)
    {
        double sum = 0;
        for (int size = 0; size < matrix.Places.Count; size++) sum += matrix.Of(policy, size).MissRatio;
        return sum;
    }

    private static int Largest(SimulationMatrix matrix)
    {
        int largest = 0;
        for (int size = 1; size < matrix.Places.Count; size++)
            if (matrix.Places[size] > matrix.Places[largest]) largest = size;
        return largest;
    }

    // The smallest that hits so much; the largest does.
    private static int Sufficient(SimulationMatrix matrix, int policy, double hits)
    {
        int found = Largest(matrix);
        for (int size = 0; size < matrix.Places.Count; size++)
            if (Hits(matrix.Of(policy, size)) >= hits && matrix.Places[size] < matrix.Places[found]) found = size;
        return found;
    }

    private static double Hits(in SimulationCounts counts) => 1 - counts.MissRatio;

    private static string Size(SimulateResult result, int size)
    {
        string bytes = ByteSize.Format(result.SizesBytes[size]);
        return result.Spec.Sizes[size].Percent > 0 ? $"{bytes} ({result.Spec.Sizes[size].Text} of the blocks)" : bytes;
    }
}

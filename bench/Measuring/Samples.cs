using System;
using System.Collections.Generic;
using System.Linq;

namespace Weir.Bench.Measuring;

/// <summary>What one subject did in one job, a value for each round.</summary>
internal sealed class Samples
{
    private readonly List<double> _values = [];

    /// <summary>Rounds so far.</summary>
    public int Count => _values.Count;

    /// <summary>The middle one; of an even number the mean of the two.</summary>
    public double Median
    {
        get
        {
            double[] sorted = [.. _values.Order()];
            int middle = sorted.Length / 2;
            if (sorted.Length == 0) return double.NaN;
            return sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
        }
    }

    /// <summary>The smallest.</summary>
    public double Min => _values.Count == 0 ? double.NaN : _values.Min();

    /// <summary>Of the last round.</summary>
    public double Last => _values[^1];

    /// <summary>From the smallest to the largest, as a share of the median.</summary>
    public double Spread => _values.Count == 0 ? double.NaN : (_values.Max() - _values.Min()) / Math.Abs(Median);

    /// <summary>One more round.</summary>
    public void Add(double value) => _values.Add(value);
}

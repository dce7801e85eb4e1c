using System;

namespace Weir.Core.Io;

/// <summary>
/// Receives status figures by name: JSON, text or Prometheus behind it. Names are snake_case, units last. Each figure
/// says what it is; writers to whom that is all the same take <see cref="Number"/>.
/// </summary>
public interface IStatusWriter
{
    /// <summary>A number that is neither: an identity, a setting.</summary>
    void Number(string name, long value);

    /// <summary>A word.</summary>
    void Text(string name, string value);

    /// <summary>What has happened since the start, or since it was cleared: it only grows.</summary>
    void Counter(string name, long value) => Number(name, value);

    /// <summary>What is so now: it comes and goes.</summary>
    void Gauge(string name, long value) => Number(name, value);

    /// <summary>
    /// How often what was measured was at most a bound. Writers without room for it leave it out.
    /// </summary>
    void Histogram(string name, in StatusHistogram values)
    {
    }

    /// <summary>
    /// Figures under a common name, which <paramref name="report"/> adds. Writers without room for groups leave it out.
    /// </summary>
    void Group(string name, Action<IStatusWriter> report)
    {
    }

    /// <summary>
    /// A list of <paramref name="count"/> things, each with figures of its own, which <paramref name="report"/> adds
    /// for the one of that number. Writers without room for lists leave it out.
    /// </summary>
    void List(string name, int count, Action<IStatusWriter, int> report)
    {
    }
}

/// <summary>Measurements by size, since the start or since they were cleared.</summary>
/// <param name="bounds">Upper bounds, rising, in the unit that the figure's name ends with.</param>
/// <param name="counts">
/// How many were at most the bound of the same place and above the one before; one more at the end, above all bounds.
/// </param>
/// <param name="sum">Of all of them.</param>
public readonly ref struct StatusHistogram(ReadOnlySpan<long> bounds, ReadOnlySpan<long> counts, long sum)
{
    /// <summary>Upper bounds.</summary>
    public ReadOnlySpan<long> Bounds { get; } = bounds;

    /// <summary>How many of each.</summary>
    public ReadOnlySpan<long> Counts { get; } = counts;

    /// <summary>Of all of them.</summary>
    public long Sum { get; } = sum;
}

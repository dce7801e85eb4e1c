using System.Collections.Generic;

namespace Weir.Bench.Reporting;

/// <summary>One line, or one bar of each group.</summary>
/// <param name="Name">In the legend.</param>
/// <param name="Values">One for each place of the chart.</param>
internal sealed record Series(string Name, IReadOnlyList<double> Values);

/// <summary>A chart of groups of bars, one group for each place.</summary>
/// <param name="Title">What it shows.</param>
/// <param name="Unit">Of the values.</param>
/// <param name="Places">Names of the groups.</param>
/// <param name="Series">The bars.</param>
/// <param name="SharesScale">All bars are measured against the highest of all, not each group against its own.</param>
internal sealed record Chart(
    string Title, string Unit, IReadOnlyList<string> Places, IReadOnlyList<Series> Series, bool SharesScale = false)
{
    /// <summary>The value that fills the width in the group <paramref name="place"/>.</summary>
    public double FullWidth(int place)
    {
        double most = 0;
        foreach (Series series in Series)
            for (int i = 0; i < Places.Count; i++)
                if ((SharesScale || i == place) && series.Values[i] > most) most = series.Values[i];
        return most;
    }
}

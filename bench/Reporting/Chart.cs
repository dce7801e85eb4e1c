using System.Collections.Generic;

namespace Weir.Bench.Reporting;

/// <summary>One line, or one bar of each group.</summary>
/// <param name="Name">In the legend.</param>
/// <param name="Values">One for each place of the chart.</param>
internal sealed record Series(string Name, IReadOnlyList<double> Values);

/// <summary>A chart of groups of bars, one group for each place, each measured against its own highest.</summary>
/// <param name="Title">What it shows.</param>
/// <param name="Unit">Of the values.</param>
/// <param name="Places">Names of the groups.</param>
/// <param name="Series">The bars.</param>
internal sealed record Chart(
    string Title, string Unit, IReadOnlyList<string> Places, IReadOnlyList<Series> Series);

using System;
using System.Globalization;
using System.Linq;
using System.Net;
using System.Text;
using Weir.Core.Base;
using Weir.Core.Traces;

namespace Weir.Frontends.Simulate;

/// <summary>
/// The result as a chart that needs nothing but itself (SVG 1.1): misses over size, a line for each policy and one for
/// the optimum. Light or dark as whoever looks at it prefers.
/// </summary>
internal static class ResultChart
{
    private const double Width = 960, Top = 64, Left = 72, Right = 716, LegendLeft = 744, RowHeight = 22;

    private const int LegendTop = 76, LeastHeight = 520, BottomMargin = 64, CaptionColumnsMax = 110;

    // Told apart in light and dark, and by people who see fewer colours with the dashes.
    private static readonly string[] s_colours =
        ["#3b7dd8", "#e07b39", "#2f9e6e", "#c0398b", "#8a63d2", "#b8860b", "#d64545", "#2aa1b3"];

    private static readonly string[] s_dashes = ["", "7 4", "2 3"];

    private const string Style = """
        <style>
        text { font: 13px system-ui, sans-serif; fill: #222 }
        .title { font-size: 17px; font-weight: 600 }
        .faint { fill: #666 }
        .back { fill: #fff }
        .grid { stroke: #ddd; stroke-width: 1 }
        .line { fill: none; stroke-width: 2; stroke-linejoin: round }
        .optimum { stroke: #222; stroke-width: 2.5; fill: none }
        .dot { fill: #222 }
        @media (prefers-color-scheme: dark) {
        text { fill: #e8e8e8 } .faint { fill: #a8a8a8 } .back { fill: #16181c } .grid { stroke: #3a3d44 }
        .optimum { stroke: #f2f2f2 } .dot { fill: #f2f2f2 }
        }
        </style>

        """;

    /// <summary>The file's text.</summary>
    public static string Of(SimulateResult result)
    {
        Plot plot = new(result);
        StringBuilder svg = new();
        svg.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" ")
            .Append(CultureInfo.InvariantCulture, $"width=\"{Width}\" height=\"{plot.Height}\" ")
            .Append(CultureInfo.InvariantCulture, $"viewBox=\"0 0 {Width} {plot.Height}\">\n")
            .Append(CultureInfo.InvariantCulture, $"<title>Misses of {result.Spec.Engine.Name} over its size</title>\n")
            .Append(Style).Append("<rect class=\"back\" width=\"100%\" height=\"100%\"/>\n");
        string name = string.Join(", ", result.Spec.Source.Paths.Select(System.IO.Path.GetFileName));
        Text(svg, Left, 28, "title", $"{result.Spec.Engine.Name}: misses over size of the cache");
        Text(svg, Left, 48, "faint", Shorten($"{name}: {result.Trace.Figures.Requests} requests"));
        Axes(svg, plot);
        Lines(svg, plot);
        return svg.Append("</svg>\n").ToString();
    }

    private static void Axes(StringBuilder svg, Plot plot)
    {
        for (int step = 0; step <= 5; step++)
        {
            double share = plot.TopShare * step / 5;
            Line(svg, Left, plot.Y(share), Right, plot.Y(share));
            Text(svg, Left - 8, plot.Y(share) + 4, "faint", $"{Show(100 * share)} %", "end");
        }
        // Names that would lie over each other are left out.
        double last = double.MinValue;
        foreach (int size in plot.Order)
        {
            double x = plot.X(size);
            Line(svg, x, plot.Bottom, x, plot.Bottom + 5);
            if (x - last < 64) continue;
            last = x;
            Text(svg, x, plot.Bottom + 20, "", plot.Result.Spec.Sizes[size].Text, "middle");
            Text(svg, x, plot.Bottom + 37, "faint", ByteSize.Format(plot.Result.SizesBytes[size]), "middle");
        }
    }

    private static void Lines(StringBuilder svg, Plot plot)
    {
        SimulationMatrix matrix = plot.Result.Matrix;
        int best = Advice.BestPolicy(matrix);
        // The legend goes from the fewest misses to the most, down to the optimum.
        int[] ranks = [.. Enumerable.Range(0, matrix.Policies.Count).OrderBy(policy => Advice.Mean(matrix, policy))];
        for (int policy = 0; policy < matrix.Policies.Count; policy++)
        {
            int index = policy;
            string colour = s_colours[policy % s_colours.Length];
            string dash = s_dashes[policy / s_colours.Length % s_dashes.Length];
            string look = $"class=\"line\" stroke=\"{colour}\""
                + (dash.Length > 0 ? $" stroke-dasharray=\"{dash}\"" : "");
            Curve(svg, plot, look, $"fill=\"{colour}\"", size => matrix.Of(index, size).MissRatio);
            string name = matrix.Policies[policy] + (policy == best ? " (fewest misses)" : "");
            Legend(svg, Array.IndexOf(ranks, policy), look, name);
        }
        Curve(svg, plot, "class=\"optimum\"", "class=\"dot\"", size => matrix.OptimumOf(size).MissRatio);
        Legend(svg, matrix.Policies.Count, "class=\"optimum\"", "optimum (Belady)");
    }

    private static void Curve(StringBuilder svg, Plot plot, string line, string dot, Func<int, double> missRatio)
    {
        string[] points = [.. plot.Order.Select(size => $"{Show(plot.X(size))},{Show(plot.Y(missRatio(size)))}")];
        svg.Append(CultureInfo.InvariantCulture, $"<polyline {line} points=\"{string.Join(' ', points)}\"/>\n");
        foreach (int size in plot.Order)
            svg.Append(CultureInfo.InvariantCulture, $"<circle {dot} cx=\"{Show(plot.X(size))}\" ")
                .Append(CultureInfo.InvariantCulture, $"cy=\"{Show(plot.Y(missRatio(size)))}\" r=\"3\"/>\n");
    }

    private static void Legend(StringBuilder svg, int row, string look, string name)
    {
        double y = LegendTop + (row * RowHeight);
        svg.Append(CultureInfo.InvariantCulture,
            $"<polyline {look} points=\"{LegendLeft},{Show(y)} {LegendLeft + 28},{Show(y)}\"/>\n");
        Text(svg, LegendLeft + 36, y + 4, "", name);
    }

    private static void Line(StringBuilder svg, double x1, double y1, double x2, double y2) =>
        svg.Append(CultureInfo.InvariantCulture, $"<line class=\"grid\" x1=\"{Show(x1)}\" y1=\"{Show(y1)}\" ")
            .Append(CultureInfo.InvariantCulture, $"x2=\"{Show(x2)}\" y2=\"{Show(y2)}\"/>\n");

    private static void Text(
        StringBuilder svg, double x, double y, string look, string text, string anchor = "start") =>
        svg.Append(CultureInfo.InvariantCulture, $"<text class=\"{look}\" x=\"{Show(x)}\" y=\"{Show(y)}\" ")
            .Append(CultureInfo.InvariantCulture, $"text-anchor=\"{anchor}\">{Escape(text)}</text>\n");

    // Control characters have no place in XML, escaped or not.
    private static string Escape(string text) =>
        WebUtility.HtmlEncode(string.Concat(text.Select(static c => c < ' ' || char.IsSurrogate(c) ? '?' : c)));

    private static string Shorten(string text) =>
        text.Length <= CaptionColumnsMax ? text : text[..CaptionColumnsMax] + "...";

    private static string Show(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);

    /// <summary>Where things are: sizes by their logarithm, misses from 0 to the most there are.</summary>
    private sealed class Plot
    {
        private readonly double _low;
        private readonly double _high;

        public Plot(SimulateResult result)
        {
            Result = result;
            Order = [.. Enumerable.Range(0, result.SizesBytes.Count).OrderBy(size => result.SizesBytes[size])];
            (_low, _high) = (Math.Log(result.SizesBytes[Order[0]]), Math.Log(result.SizesBytes[Order[^1]]));
            double most = 0;
            for (int size = 0; size < Order.Length; size++)
                for (int policy = 0; policy < result.Matrix.Policies.Count; policy++)
                    most = Math.Max(most, result.Matrix.Of(policy, size).MissRatio);
            TopShare = Math.Max(0.05, Math.Ceiling(most * 20) / 20);
            Height = Math.Max(LeastHeight, LegendTop + ((result.Matrix.Policies.Count + 1) * RowHeight) + BottomMargin);
        }

        public SimulateResult Result { get; }

        /// <summary>Numbers of the sizes, ascending.</summary>
        public int[] Order { get; }

        public double TopShare { get; }

        public double Height { get; }

        public double Bottom => Height - BottomMargin;

        public double X(int size) => _high <= _low ? (Left + Right) / 2
            : Left + 24 + ((Right - Left - 48) * (Math.Log(Result.SizesBytes[size]) - _low) / (_high - _low));

        public double Y(double share) => Bottom - ((Bottom - Top) * share / TopShare);
    }
}

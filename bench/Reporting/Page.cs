using System.Collections.Generic;
using System.Globalization;
using System.Net;
using System.Text;

namespace Weir.Bench.Reporting;

/// <summary>The report as one HTML page: style, tables and charts as inline SVG; it fetches nothing.</summary>
internal static class Page
{
    private const int Width = 960, BarHeight = 14, LabelWidth = 230, GroupGap = 16;

    private static readonly string[] s_colours =
        ["#0b6e4f", "#c84630", "#3a6ea5", "#d99a2b", "#6b4e9b", "#7f8c8d", "#1fa187", "#a23b72", "#4d4d4d"];

    /// <summary>The whole page.</summary>
    public static string Of(string title, string machine, IEnumerable<Table> tables, IReadOnlyList<Chart> charts)
    {
        StringBuilder page = new("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>");
        page.Append(Escape(title)).Append("</title><style>body{font:15px/1.45 sans-serif;max-width:60em;margin:2em ")
            .Append("auto;padding:0 1em;color:#222}table{border-collapse:collapse;margin:1em 0;font-size:13px}td,th{")
            .Append("border:1px solid #ccc;padding:3px 8px;text-align:right}td:first-child,")
            .Append("th:first-child{text-align:left}")
            .Append("pre,code{font-size:12px;white-space:pre-wrap}text{font:12px sans-serif}</style><h1>")
            .Append(Escape(title)).Append("</h1><p>").Append(Escape(machine)).Append("</p>");
        foreach (Chart chart in charts) Append(page, chart);
        foreach (Table table in tables) Append(page, table);
        return page.Append("</html>\n").ToString();
    }

    private static void Append(StringBuilder page, Table table)
    {
        page.Append("<h2>").Append(Escape(table.Title)).Append("</h2><p>").Append(Escape(table.Note))
            .Append("</p><table><tr>");
        foreach (string column in table.Columns) page.Append("<th>").Append(Escape(column)).Append("</th>");
        page.Append("</tr>");
        foreach (string[] row in table.Rows)
        {
            page.Append("<tr>");
            foreach (string cell in row) page.Append("<td>").Append(Escape(cell)).Append("</td>");
            page.Append("</tr>");
        }
        page.Append("</table>");
    }

    private static void Append(StringBuilder page, Chart chart)
    {
        int groupHeight = (chart.Series.Count * BarHeight) + GroupGap;
        int height = (chart.Places.Count * groupHeight) + GroupGap;
        page.Append(CultureInfo.InvariantCulture, $"<h2>{Escape(chart.Title)}</h2><p>");
        for (int s = 0; s < chart.Series.Count; s++)
            page.Append(CultureInfo.InvariantCulture,
                $"<span style=\"color:{Colour(s)}\">&#9632;</span> {Escape(chart.Series[s].Name)} &nbsp; ");
        page.Append(CultureInfo.InvariantCulture,
            $"({Escape(chart.Unit)})</p><svg viewBox=\"0 0 {Width} {height}\" width=\"100%\" role=\"img\">");
        for (int place = 0; place < chart.Places.Count; place++) AppendGroup(page, chart, place, place * groupHeight);
        page.Append("</svg>");
    }

    private static void AppendGroup(StringBuilder page, Chart chart, int place, int top)
    {
        page.Append(CultureInfo.InvariantCulture,
            $"<text x=\"0\" y=\"{top + BarHeight}\">{Escape(chart.Places[place])}</text>");
        double most = chart.FullWidth(place);
        for (int s = 0; s < chart.Series.Count; s++)
        {
            double value = chart.Series[s].Values[place];
            if (double.IsNaN(value)) continue;
            int width = most == 0 ? 0 : (int)(value / most * (Width - LabelWidth - 100));
            int y = top + (s * BarHeight);
            page.Append(CultureInfo.InvariantCulture, $"<rect x=\"{LabelWidth}\" y=\"{y}\" width=\"{width}\" ")
                .Append(CultureInfo.InvariantCulture, $"height=\"{BarHeight - 2}\" fill=\"{Colour(s)}\"/>")
                .Append(CultureInfo.InvariantCulture, $"<text x=\"{LabelWidth + width + 4}\" ")
                .Append(CultureInfo.InvariantCulture, $"y=\"{y + BarHeight - 3}\">")
                .Append(Report.Number(value)).Append("</text>");
        }
    }

    private static string Colour(int series) => s_colours[series % s_colours.Length];

    private static string Escape(string text) => WebUtility.HtmlEncode(text);
}

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;
using Weir.Core.Base;
using Weir.Core.Traces;

namespace Weir.Frontends.Simulate;

/// <summary>The result as a table for people, and what they may conclude from it.</summary>
internal static class ResultTable
{
    private const string Optimum = "optimum";

    /// <summary>All of it, in lines.</summary>
    public static string Of(SimulateResult result)
    {
        StringBuilder text = new();
        text.Append(Describe(result.Trace)).Append("\nmisses in percent of the accesses of blocks; * the fewest of a ")
            .Append("size; ").Append(Optimum).Append(": Belady's, who knows the future\n\n");
        AddRows(text, Rows(result));
        return text.Append('\n').Append(Advice.Of(result)).Append('\n').ToString();
    }

    /// <summary>What the trace is, in a line.</summary>
    public static string Describe(CompactTrace trace)
    {
        TraceFigures figures = trace.Figures;
        string time = figures.SpanUs > 0 ? string.Create(
            CultureInfo.InvariantCulture, $" in {figures.SpanUs / 1e6:0.#} s") : "";
        string discards = figures.Discards > 0 ? $", {figures.Discards} discards left out" : "";
        return string.Create(CultureInfo.InvariantCulture,
            $"{figures.Requests} requests{time}, {100.0 * figures.Writes / figures.Requests:0.#} % writes, "
            + $"{ByteSize.Format(figures.Bytes)}{discards}; {trace.Accesses} accesses of {trace.Blocks} "
            + $"blocks of {ByteSize.Format(figures.BlockBytes)}, "
            + $"{ByteSize.Format((long)trace.Blocks * figures.BlockBytes)} in all");
    }

    private static List<string[]> Rows(SimulateResult result)
    {
        SimulationMatrix matrix = result.Matrix;
        List<string[]> rows = [];
        string[] head = NewRow(result, "policy"), bytes = NewRow(result, "");
        for (int size = 0; size < matrix.Places.Count; size++)
        {
            head[size + 1] = result.Spec.Sizes[size].Text + " ";
            bytes[size + 1] = ByteSize.Format(result.SizesBytes[size]) + " ";
        }
        rows.AddRange([head, bytes]);
        for (int policy = 0; policy < matrix.Policies.Count; policy++)
        {
            string[] row = NewRow(result, matrix.Policies[policy]);
            for (int size = 0; size < matrix.Places.Count; size++)
            {
                long misses = matrix.Of(policy, size).Misses;
                row[size + 1] = Percent(matrix.Of(policy, size)) + (misses == Advice.Fewest(matrix, size) ? "*" : " ");
            }
            rows.Add(row);
        }
        string[] last = NewRow(result, Optimum);
        for (int size = 0; size < matrix.Places.Count; size++) last[size + 1] = Percent(matrix.OptimumOf(size)) + " ";
        rows.Add(last);
        return rows;
    }

    private static string[] NewRow(SimulateResult result, string first)
    {
        string[] row = new string[result.Matrix.Places.Count + 1];
        row[0] = first;
        return row;
    }

    private static string Percent(in SimulationCounts counts) =>
        (100 * counts.MissRatio).ToString("0.00", CultureInfo.InvariantCulture);

    // Names to the left, figures to the right.
    private static void AddRows(StringBuilder text, List<string[]> rows)
    {
        for (int row = 0; row < rows.Count; row++)
        {
            StringBuilder line = new();
            for (int column = 0; column < rows[row].Length; column++)
            {
                int width = 0;
                foreach (string[] other in rows) width = Math.Max(width, other[column].Length);
                string cell = rows[row][column];
                line.Append(column == 0 ? cell.PadRight(width) : "  " + cell.PadLeft(width));
            }
            text.Append(line.ToString().TrimEnd()).Append('\n');
        }
    }
}

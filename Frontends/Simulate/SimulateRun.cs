using System;
using System.Collections.Generic;
using Weir.Core.Traces;
using Weir.Frontends.Compose;
using Weir.Frontends.Status;

namespace Weir.Frontends.Simulate;

/// <summary>What <c>weir simulate</c> was asked for.</summary>
/// <param name="Source">The trace.</param>
/// <param name="Engine">Whose policies.</param>
/// <param name="Policies">Which of them.</param>
/// <param name="Sizes">Of the cache.</param>
/// <param name="Json">For programs.</param>
/// <param name="Chart">A file for the chart; null: none.</param>
internal sealed record SimulateSpec(
    TraceSource Source, SimulatedEngine Engine, IReadOnlyList<string> Policies, IReadOnlyList<CacheSize> Sizes,
    bool Json, string? Chart);

/// <summary>What came of it.</summary>
/// <param name="Spec">What was asked.</param>
/// <param name="Trace">The requests.</param>
/// <param name="Matrix">Policies and sizes.</param>
/// <param name="SizesBytes">Of the cache, for each size.</param>
internal sealed record SimulateResult(
    SimulateSpec Spec, CompactTrace Trace, SimulationMatrix Matrix, IReadOnlyList<long> SizesBytes);

/// <summary>The run of <c>weir simulate</c>: read, simulate, show.</summary>
internal static class SimulateRun
{
    /// <summary>All of it; the program's exit code.</summary>
    public static int Run(SimulateSpec spec)
    {
        // Before the work, not after it.
        using ChartFile? chart = spec.Chart == null ? null : ChartFile.Open(spec.Chart);
        SimulateResult result = Simulate(spec);
        Output.Write(spec.Json ? ResultJson.Of(result) : ResultTable.Of(result));
        chart?.Write(ResultChart.Of(result));
        return Program.Done;
    }

    private static SimulateResult Simulate(SimulateSpec spec)
    {
        ProgressLine line = ProgressLine.OnStandardError();
        try
        {
            CompactTrace trace = spec.Source.Load((done, total) => line.Report("bytes read", done, total));
            uint[] places = new uint[spec.Sizes.Count];
            long[] bytes = new long[places.Length];
            for (int i = 0; i < places.Length; i++)
            {
                places[i] = spec.Sizes[i].PlacesFor(trace);
                bytes[i] = places[i] * (long)trace.Figures.BlockBytes;
            }
            SimulationMatrix matrix = SimulationMatrix.Run(
                trace, spec.Policies, places, spec.Engine.Run, Environment.ProcessorCount,
                (done, total) => line.Report("accesses", done, total));
            return new SimulateResult(spec, trace, matrix, bytes);
        }
        finally
        {
            line.Finish();
        }
    }
}

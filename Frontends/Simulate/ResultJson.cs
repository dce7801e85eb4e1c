using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Weir.Core.Traces;

namespace Weir.Frontends.Simulate;

/// <summary>The result as one JSON object for programs.</summary>
internal static class ResultJson
{
    /// <summary>On one line.</summary>
    public static string Of(SimulateResult result)
    {
        ArrayBufferWriter<byte> buffer = new();
        using Utf8JsonWriter json = new(buffer, new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        SimulationMatrix matrix = result.Matrix;
        json.WriteStartObject();
        WriteTrace(json, result);
        json.WriteStartArray("results");
        for (int policy = 0; policy < matrix.Policies.Count; policy++)
            for (int size = 0; size < matrix.Places.Count; size++)
                WriteCounts(json, result, matrix.Policies[policy], size, matrix.Of(policy, size));
        json.WriteEndArray();
        json.WriteStartArray("optimum");
        for (int size = 0; size < matrix.Places.Count; size++)
            WriteCounts(json, result, "belady", size, matrix.OptimumOf(size));
        json.WriteEndArray();
        json.WriteString("best_policy", matrix.Policies[Advice.BestPolicy(matrix)]);
        json.WriteString("advice", Advice.Of(result));
        json.WriteEndObject();
        json.Flush();
        return Encoding.UTF8.GetString(buffer.WrittenSpan) + "\n";
    }

    private static void WriteTrace(Utf8JsonWriter json, SimulateResult result)
    {
        TraceFigures figures = result.Trace.Figures;
        json.WriteString("engine", result.Spec.Engine.Name);
        json.WriteStartObject("trace");
        json.WriteStartArray("files");
        foreach (string path in result.Spec.Source.Paths) json.WriteStringValue(path);
        json.WriteEndArray();
        json.WriteNumber("requests", figures.Requests);
        json.WriteNumber("writes", figures.Writes);
        json.WriteNumber("discards_left_out", figures.Discards);
        json.WriteNumber("bytes", figures.Bytes);
        json.WriteNumber("span_us", figures.SpanUs);
        json.WriteNumber("block_bytes", figures.BlockBytes);
        json.WriteNumber("accesses", result.Trace.Accesses);
        json.WriteNumber("blocks", result.Trace.Blocks);
        json.WriteEndObject();
    }

    private static void WriteCounts(
        Utf8JsonWriter json, SimulateResult result, string policy, int size, in SimulationCounts counts)
    {
        json.WriteStartObject();
        json.WriteString("policy", policy);
        json.WriteString("size", result.Spec.Sizes[size].Text);
        json.WriteNumber("size_bytes", result.SizesBytes[size]);
        json.WriteNumber("size_blocks", result.Matrix.Places[size]);
        json.WriteNumber("miss_ratio", counts.MissRatio);
        json.WriteNumber("request_miss_ratio", counts.RequestMissRatio);
        json.WriteNumber("misses", counts.Misses);
        json.WriteNumber("request_misses", counts.RequestMisses);
        json.WriteNumber("promotions", counts.Promotions);
        json.WriteNumber("evictions", counts.Evictions);
        json.WriteNumber("policy_memory_bytes", counts.MemoryBytes);
        json.WriteNumber("seconds", counts.Seconds);
        json.WriteEndObject();
    }
}

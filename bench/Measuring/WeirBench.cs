using System;
using System.Collections.Generic;
using System.IO;
using System.Text.Json;

namespace Weir.Bench.Measuring;

/// <summary>Runs the program's own <c>weir bench</c>: the native binary, an engine and no socket.</summary>
/// <param name="binary">Path of <c>weir</c>.</param>
/// <param name="folder">Where its JSON is kept, as it says it.</param>
internal sealed class WeirBench(string binary, string folder)
{
    private int _number;

    /// <summary>Path of <c>weir</c>.</summary>
    public string Binary => binary;

    /// <summary>Figures by name.</summary>
    public Dictionary<string, double> Run(params string[] arguments)
    {
        string output = Tool.Run(binary, ["bench", "--force", .. arguments]);
        File.WriteAllText(Path.Combine(folder, $"weir-{++_number:d4}.json"), output);
        Dictionary<string, double> figures = Numbers(output);
        if (figures["errors"] != 0) throw new InvalidOperationException("weir bench: requests failed: " + output);
        return figures;
    }

    /// <summary>What <c>weir status</c> says of the volume with this control socket, numbers by name.</summary>
    public Dictionary<string, double> Status(string control) =>
        Numbers(Tool.Run(binary, ["status", "--control", control, "--json"]));

    /// <summary>The numbers of a JSON object, by name.</summary>
    public static Dictionary<string, double> Numbers(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        Dictionary<string, double> numbers = [];
        foreach (JsonProperty property in document.RootElement.EnumerateObject())
            if (property.Value.ValueKind == JsonValueKind.Number) numbers[property.Name] = property.Value.GetDouble();
        return numbers;
    }
}

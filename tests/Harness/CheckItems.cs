using System.Collections.Generic;
using Weir.Core.Io;

namespace Weir.Tests.Harness;

/// <summary>The texts that a tool reports.</summary>
internal sealed class CheckItems : IItemWriter
{
    private string _kind = "";

    public List<string> Texts { get; } = [];

    public bool WantsMore => true;

    /// <summary>Those of problems alone.</summary>
    public List<string> Problems { get; } = [];

    public void Begin(string kind) => _kind = kind;

    public Dictionary<string, long> Numbers { get; } = [];

    public void Number(string name, long value) => Numbers[name] = value;

    public void Text(string name, string value)
    {
        Texts.Add(value);
        if (_kind == "problem") Problems.Add(value);
    }

    public void End()
    {
    }
}

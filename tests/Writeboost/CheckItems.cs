using System.Collections.Generic;
using Weir.Core.Io;

namespace Weir.Tests.Writeboost;

/// <summary>What a tool reports, its texts kept.</summary>
internal sealed class CheckItems : IItemWriter
{
    public List<string> Texts { get; } = [];

    public bool WantsMore => true;

    public void Begin(string kind)
    {
    }

    public void Number(string name, long value)
    {
    }

    public void Text(string name, string value) => Texts.Add(value);

    public void End()
    {
    }
}

using System.Collections.Generic;
using Weir.Core.Io;

namespace Weir.Tests.Harness;

/// <summary>A volume's figures by name, as they are now.</summary>
public sealed class StatusFigures : IStatusWriter
{
    private readonly Dictionary<string, long> _numbers = [];
    private readonly Dictionary<string, string> _texts = [];

    private string _prefix = "";

    public StatusFigures(IVolume volume) => volume.Report(this);

    public long this[string name] => _numbers[name];

    public bool Has(string name) => _numbers.ContainsKey(name);

    public bool HasText(string name) => _texts.ContainsKey(name);

    public string TextOf(string name) => _texts[name];

    public void Number(string name, long value) => _numbers[_prefix + name] = value;

    public void Text(string name, string value) => _texts[_prefix + name] = value;

    public void Group(string name, System.Action<IStatusWriter> report)
    {
        string outer = _prefix;
        _prefix = $"{outer}{name}.";
        report(this);
        _prefix = outer;
    }
}

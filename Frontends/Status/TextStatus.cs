using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Frontends.Status;

/// <summary>Status figures as two columns; sizes also as people read them. Of several figures
/// of one name the first counts.</summary>
internal sealed class TextStatus : IStatusWriter
{
    private readonly List<(string Name, string Value)> _lines = [];
    private readonly HashSet<string> _names = [];
    private int _width;
    private string _prefix = "";

    /// <inheritdoc/>
    public void Number(string name, long value)
    {
        string text = value.ToString(CultureInfo.InvariantCulture);
        bool isSize = name.EndsWith("_bytes", StringComparison.Ordinal) && value >= 1024;
        Text(name, isSize ? $"{text} ({ByteSize.Format(value)})" : text);
    }

    /// <inheritdoc/>
    public void Text(string name, string value)
    {
        string line = _prefix + name;
        if (!_names.Add(line)) return;
        _lines.Add((line, value));
        _width = Math.Max(_width, line.Length);
    }

    /// <inheritdoc/>
    public void List(string name, int count, Action<IStatusWriter, int> report)
    {
        string outer = _prefix;
        for (int i = 0; i < count; i++)
        {
            _prefix = $"{outer}{name}[{i}].";
            report(this, i);
        }
        _prefix = outer;
    }

    /// <inheritdoc/>
    public void Group(string name, Action<IStatusWriter> report)
    {
        string outer = _prefix;
        _prefix = $"{outer}{name}.";
        report(this);
        _prefix = outer;
    }

    /// <summary>The table.</summary>
    public string Finish()
    {
        StringBuilder text = new();
        foreach ((string name, string value) in _lines)
            text.Append(name.PadRight(_width)).Append("  ").Append(value).Append('\n');
        return text.ToString();
    }
}

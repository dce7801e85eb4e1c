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
        if (!_names.Add(name)) return;
        _lines.Add((name, value));
        _width = Math.Max(_width, name.Length);
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

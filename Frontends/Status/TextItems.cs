using System;
using System.Globalization;
using System.Text;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Frontends.Status;

/// <summary>What an offline tool finds, a line per item: its kind, then NAME=VALUE, or a sentence.</summary>
internal sealed class TextItems : IItemWriter
{
    private readonly StringBuilder _line = new();

    /// <inheritdoc/>
    public bool WantsMore => !Output.IsClosed;

    /// <inheritdoc/>
    public void Begin(string kind) => _line.Append(kind);

    /// <inheritdoc/>
    public void End()
    {
        Output.Write(_line.Append('\n').ToString());
        _line.Clear();
    }

    /// <inheritdoc/>
    public void Number(string name, long value)
    {
        bool isSize = name.EndsWith("_bytes", StringComparison.Ordinal) && value >= 1024;
        _line.Append(' ').Append(name).Append('=').Append(value.ToString(CultureInfo.InvariantCulture));
        if (isSize) _line.Append(" (").Append(ByteSize.Format(value)).Append(')');
    }

    /// <inheritdoc/>
    public void Text(string name, string value)
    {
        if (name == "text") _line.Append(": ").Append(value);
        else _line.Append(' ').Append(name).Append('=').Append(value.Contains(' ', StringComparison.Ordinal)
            ? $"\"{value}\"" : value);
    }
}

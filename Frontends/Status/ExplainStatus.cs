using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;
using Weir.Core.Io;

namespace Weir.Frontends.Status;

/// <summary>Status figures with what each means: name, present value, one line.</summary>
/// <param name="tunables">What the options mean.</param>
internal sealed class ExplainStatus(IReadOnlyList<Tunable> tunables) : IStatusWriter
{
    private const int ValueWidthMax = 24;
    private const string Options = "options.";

    private readonly List<(string Name, string Value, string Meaning)> _lines = [];
    private readonly HashSet<string> _names = [];
    private string _prefix = "", _group = "";

    /// <inheritdoc/>
    public void Number(string name, long value) => Text(name, value.ToString(CultureInfo.InvariantCulture));

    /// <inheritdoc/>
    public void Text(string name, string value)
    {
        if (_names.Add(_prefix + name)) _lines.Add((_prefix + name, value, MeaningOf(_group + name)));
    }

    /// <inheritdoc/>
    public void Group(string name, Action<IStatusWriter> report) => Within($"{_prefix}{name}.", name, report);

    /// <inheritdoc/>
    public void List(string name, int count, Action<IStatusWriter, int> report)
    {
        for (int i = 0; i < count; i++)
        {
            int index = i;
            Within($"{_prefix}{name}[{i}].", name, status => report(status, index));
        }
    }

    /// <summary>The table.</summary>
    public string Finish()
    {
        StringBuilder text = new();
        int names = _lines.Max(static line => line.Name.Length);
        int values = Math.Min(ValueWidthMax, _lines.Max(static line => line.Value.Length));
        foreach ((string name, string value, string meaning) in _lines)
            text.Append($"{name.PadRight(names)}  {value.PadRight(values)}  {meaning}\n");
        return text.ToString();
    }

    private void Within(string prefix, string group, Action<IStatusWriter> report)
    {
        (string outerPrefix, string outerGroup) = (_prefix, _group);
        (_prefix, _group) = (prefix, $"{_group}{group}.");
        report(this);
        (_prefix, _group) = (outerPrefix, outerGroup);
    }

    private string MeaningOf(string name) => name.StartsWith(Options, StringComparison.Ordinal)
        ? Tunable.Find(tunables, name[Options.Length..]).Meaning
        : Meanings.Of(name) ?? Meanings.Of(name.Split('.')[0]) ?? "";
}

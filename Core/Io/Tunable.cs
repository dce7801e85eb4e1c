using System;
using System.Collections.Generic;
using System.Globalization;
using Weir.Core.Base;

namespace Weir.Core.Io;

/// <summary>
/// A number that a user may set, at the start (<c>--option KEY=VALUE</c>) or while the volume is served
/// (<c>weir message KEY VALUE</c>). Control path only; the engine reads the value itself.
/// </summary>
/// <param name="Name">Key, in the words of the engine's kernel ancestors.</param>
/// <param name="Minimum">Smallest value.</param>
/// <param name="Maximum">Largest value.</param>
/// <param name="Meaning">One line for the table of <c>weir message help</c>, with the unit.</param>
/// <param name="Read">The value now.</param>
/// <param name="Write">Sets a value within the range; null when it can be set at the start only.</param>
public sealed record Tunable(
    string Name, long Minimum, long Maximum, string Meaning, Func<long> Read, Action<long>? Write)
{
    /// <summary>Other names for it.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];

    /// <summary>A length of time, written 500us, 10ms or 3s; the value counts microseconds.</summary>
    public bool IsDuration { get; init; }

    /// <summary>
    /// Sets it for one backing device, by name (<c>weir message KEY NAME=VALUE</c>), in place of the volume's value;
    /// else null.
    /// </summary>
    public Action<string, long>? WriteFor { get; init; }

    /// <summary>Sets it at the start; the same as <see cref="Write"/> where that is not null.</summary>
    public Action<long>? WriteAtStart { get; init; } = Write;

    /// <summary>
    /// Words for the values from <see cref="Minimum"/> on, where numbers would say nothing; else null.
    /// </summary>
    public IReadOnlyList<string>? Words { get; init; }

    /// <summary>What to say beside a value that has no effect now; null: it has.</summary>
    public Func<string?>? Note { get; init; }

    /// <summary>The value before anybody set it.</summary>
    public long Default { get; } = Read();

    /// <summary>What values there are, for people.</summary>
    public string Range => Words != null ? string.Join('|', Words) : $"{Show(Minimum)}..{Show(Maximum)}";

    /// <summary>A value as users write it.</summary>
    public string Show(long value) => Words != null ? Words[(int)(value - Minimum)]
        : IsDuration ? Duration.Show(value) : value.ToString(CultureInfo.InvariantCulture);

    /// <summary>
    /// The one called <paramref name="name"/>, in capitals or not, as in the kernel. Throws, naming those there are.
    /// </summary>
    public static Tunable Find(IReadOnlyList<Tunable> all, string name, bool atStart = true)
    {
        List<string> names = [];
        foreach (Tunable tunable in all)
        {
            if (tunable.IsCalled(name)) return tunable;
            if ((atStart ? tunable.WriteAtStart : tunable.Write) != null) names.Add(tunable.Name);
        }
        throw Unknown(name, names);
    }

    /// <summary>No key is called so, but those that are <paramref name="known"/>.</summary>
    public static UserErrorException Unknown(string name, IReadOnlyList<string> known)
    {
        string all = known.Count == 0 ? "this engine has none" : "known: " + string.Join(", ", known);
        return new UserErrorException($"unknown key '{name}'; {all}", 2);
    }

    /// <summary>
    /// Sets the value that <paramref name="text"/> says, or throws what is wrong with it. Returns what was set, as
    /// users write it.
    /// </summary>
    public string Set(string text, bool atStart)
    {
        Action<long> write = (atStart ? WriteAtStart : Write)
            ?? throw new UserErrorException(
                $"{Name} can be set at the start only: weir serve --option {Name}=VALUE", 2);
        int equals = WriteFor != null && !atStart ? text.LastIndexOf('=') : -1;
        long value = Parse(text[(equals + 1)..]);
        if (equals < 0) write(value);
        else WriteFor!(text[..equals], value);
        return equals < 0 ? Show(Read()) : $"{text[..equals]}={Show(value)}";
    }

    /// <summary>Sets it while the volume is served, see <see cref="Set"/>; returns what to answer.</summary>
    public string Answer(string text)
    {
        string value = Set(text, atStart: false);
        return Note?.Invoke() is { } note ? $"{Name} {value} ({note})\n" : $"{Name} {value}\n";
    }

    /// <summary>It is its name, or another one of it.</summary>
    public bool IsCalled(string name)
    {
        if (name.Equals(Name, StringComparison.OrdinalIgnoreCase)) return true;
        foreach (string alias in Aliases)
            if (name.Equals(alias, StringComparison.OrdinalIgnoreCase)) return true;
        return false;
    }

    private long Parse(string number) => TryRead(number, out long value) && value >= Minimum && value <= Maximum
        ? value
        : throw new UserErrorException($"{Name}: '{number}' is not a value; expected {Range}", 2);

    private bool TryRead(string text, out long value)
    {
        if (IsDuration) return Duration.TryParse(text, out value);
        if (Words == null) return ByteSize.TryParse(text, out value);
        value = Minimum;
        foreach (string word in Words)
        {
            if (word == text) return true;
            value++;
        }
        return false;
    }
}

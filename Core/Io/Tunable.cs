using System;
using System.Collections.Generic;
using System.Globalization;
using System.Threading;
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
    private const int PollMs = 20;

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

    /// <summary>What to do instead of reading, for keys that are orders such as <c>clear_stat</c>; else null.</summary>
    public Action? Order { get; init; }

    /// <summary>
    /// Of an order that takes its time: it has been carried out. Whoever gave it waits, and may go; the order goes on.
    /// </summary>
    public Func<bool>? IsDone { get; init; }

    /// <summary>What to answer, in lines, for keys that are questions such as <c>dirty_ranges</c>; else null.</summary>
    public Func<string>? Answer { get; init; }

    /// <summary>
    /// Gives the order, if it is one, waits for its end unless <paramref name="isGone"/> says that nobody does any
    /// more, and returns the answer, if there is one.
    /// </summary>
    public string Carry(Func<bool> isGone)
    {
        Order?.Invoke();
        while (IsDone?.Invoke() == false && !isGone()) Thread.Sleep(PollMs);
        return Answer?.Invoke() ?? "";
    }

    /// <summary>There is no value to show or set.</summary>
    public bool IsOrder => Order != null || Answer != null;

    /// <summary>
    /// Words for the values from <see cref="Minimum"/> on, where numbers would say nothing; else null.
    /// </summary>
    public IReadOnlyList<string>? Words { get; init; }

    /// <summary>The value before anybody set it.</summary>
    public long Default { get; } = Read();

    /// <summary>What values there are, for people.</summary>
    public string Range => IsOrder ? "-"
        : Words != null ? string.Join('|', Words) : $"{Show(Minimum)}..{Show(Maximum)}";

    /// <summary>A value as users write it.</summary>
    public string Show(long value) => IsOrder ? "-"
        : Words != null ? Words[(int)(value - Minimum)]
        : IsDuration ? Duration.Show(value) : value.ToString(CultureInfo.InvariantCulture);

    /// <summary>The one called <paramref name="name"/>. Throws, naming those there are.</summary>
    public static Tunable Find(IReadOnlyList<Tunable> all, string name)
    {
        List<string> names = [];
        foreach (Tunable tunable in all)
        {
            if (tunable.Name == name || ((IList<string>)tunable.Aliases).Contains(name)) return tunable;
            names.Add(tunable.Name);
        }
        string known = names.Count == 0 ? "this engine has none" : "known: " + string.Join(", ", names);
        throw new UserErrorException($"unknown key '{name}'; {known}", 2);
    }

    /// <summary>Sets the value that <paramref name="text"/> says, or throws what is wrong with it.</summary>
    public void Set(string text, bool atStart)
    {
        if (IsOrder) throw new UserErrorException($"{Name} is an order and takes no value", 2);
        Action<long> write = (atStart ? WriteAtStart : Write)
            ?? throw new UserErrorException(
                $"{Name} can be set at the start only: weir serve --option {Name}=VALUE", 2);
        int equals = WriteFor != null && !atStart ? text.LastIndexOf('=') : -1;
        if (equals < 0) write(Read(text));
        else WriteFor!(text[..equals], Read(text[(equals + 1)..]));

        long Read(string number) => TryRead(number, out long value) && value >= Minimum && value <= Maximum
            ? value
            : throw new UserErrorException($"{Name}: '{number}' is not a value; expected {Range}", 2);
    }

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

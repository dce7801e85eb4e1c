using System;
using System.Collections.Generic;
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
    /// <summary>Another name for it, or null.</summary>
    public string? Alias { get; init; }

    /// <summary>Sets it at the start; the same as <see cref="Write"/> where that is not null.</summary>
    public Action<long>? WriteAtStart { get; init; } = Write;

    /// <summary>The value before anybody set it.</summary>
    public long Default { get; } = Read();

    /// <summary>The one called <paramref name="name"/>. Throws, naming those there are.</summary>
    public static Tunable Find(IReadOnlyList<Tunable> all, string name)
    {
        foreach (Tunable tunable in all)
            if (tunable.Name == name || tunable.Alias == name) return tunable;
        List<string> names = [];
        foreach (Tunable tunable in all) names.Add(tunable.Name);
        string known = names.Count == 0 ? "this engine has none" : "known: " + string.Join(", ", names);
        throw new UserErrorException($"unknown key '{name}'; {known}", 2);
    }

    /// <summary>Sets the value that <paramref name="text"/> says, or throws what is wrong with it.</summary>
    public void Set(string text, bool atStart)
    {
        Action<long> write = (atStart ? WriteAtStart : Write)
            ?? throw new UserErrorException($"{Name} can be set at the start only: weir serve --option {Name}=VALUE", 2);
        if (!ByteSize.TryParse(text, out long value) || value < Minimum || value > Maximum)
            throw new UserErrorException($"{Name}: '{text}' is not a number from {Minimum} to {Maximum}", 2);
        write(value);
    }
}

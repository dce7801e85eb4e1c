using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Frontends.Status;
using Errno = Weir.Native.Errno;

namespace Weir.Frontends.Control;

/// <summary>What can be asked of a served volume over its control socket.</summary>
/// <param name="door">Held open while something is done with the volume.</param>
/// <param name="tunables">What <c>message</c> can set.</param>
/// <param name="report">Adds the figures of the program and the volume.</param>
/// <param name="stop">Begins the orderly stop, forced or not, and returns when it is over: 0, or a negative
/// errno.</param>
internal sealed class ControlCommands(
    VolumeDoor door, IReadOnlyList<Tunable> tunables, Action<IStatusWriter> report, Func<bool, int> stop)
{
    /// <summary>The lines that the kernel's own program would have printed, where there was one.</summary>
    public Func<string>? KernelStatus { get; init; }

    /// <summary>What was said when the volume had stopped, in lines.</summary>
    public Func<IReadOnlyList<string>> LastWords { get; init; } = static () => [];

    /// <summary>
    /// The program ends without an orderly stop, and the kernel may keep it a while: nobody need wait for that.
    /// </summary>
    public Func<bool> IsLeaving { get; init; } = static () => false;

    /// <summary>Something was done with the volume: sizes may be others.</summary>
    public Action Ordered { get; init; } = static () => { };

    /// <summary>Attaches a device, written as for <c>--backing</c>; what to say about it.</summary>
    public Func<string, IOrderWaiter, string>? Attach { get; init; }

    /// <summary>Detaches the device of this name, unless called off; what to say about it.</summary>
    public Func<string, IOrderWaiter, string>? Detach { get; init; }

    /// <summary>Whoever asks this waits for the program's end.</summary>
    public static bool IsStop(string line) => line.Trim() == "stop" || IsForcedStop(line);

    private static bool IsForcedStop(string line) => line.Trim() == "stop force";

    /// <summary>
    /// Runs one line of the conversation and returns the text of the answer. <paramref name="isGone"/> tells whether
    /// anybody still waits for it; <paramref name="progress"/> takes blocks left and blocks in all of an order that
    /// goes on, or is null.
    /// </summary>
    public string Run(string line, Func<bool> isGone, Action<long, long>? progress = null) =>
        IsStop(line) ? Stop(IsForcedStop(line))
            : door.Visit(() => Visit(line, new OrderClient(door, isGone, progress)));

    private string Visit(string line, OrderClient client)
    {
        string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return words switch
        {
            ["status", "json"] => Json(),
            ["status", "explain"] => Explain(),
            ["status", "dm"] => KernelStatus?.Invoke()
                ?? throw new UserErrorException("this engine has no ancestor in the kernel's device mapper", 2),
            ["status", ..] => Table(),
            ["message", var key] when IsKey(key, "help") => Help(),
            ["message", var key, ..] when IsKey(key, "help") => throw new UserErrorException("help takes no value", 2),
            ["message", ..] when door.IsClosing => throw new UserErrorException("stopping"),
            ["message", var key, ..] when IsKey(key, "attach") && Attach != null => words.Length == 3
                ? Attach(words[2], client)
                : throw new UserErrorException("attach: expected 'weir message attach [ID:]NAME=PATH'", 2),
            ["message", var key, ..] when IsKey(key, "detach") && Detach != null => words.Length == 3
                ? Detach(words[2], client)
                : throw new UserErrorException("detach: expected 'weir message detach NAME'", 2),
            ["message", var key] => Show(Find(key), client),
            ["message", var key, var value] => Set(Find(key), value, client),
            _ => throw new UserErrorException($"unknown request '{line}'; known: status, message, stop", 2),
        };
    }

    private static bool IsKey(string word, string key) => word.Equals(key, StringComparison.OrdinalIgnoreCase);

    private Tunable Find(string key) => Attach == null ? Tunable.Find(tunables, key, "help")
        : Tunable.Find(tunables, key, "attach", "detach", "help");

    private string Json()
    {
        using JsonStatus status = new();
        report(status);
        return status.Finish();
    }

    private string Explain()
    {
        ExplainStatus status = new(tunables);
        report(status);
        return status.Finish();
    }

    private string Table()
    {
        TextStatus status = new();
        report(status);
        return status.Finish();
    }

    private string Show(Tunable tunable, OrderClient client) =>
        tunable.IsOrder ? Carry(tunable, client) : $"{tunable.Name} {tunable.Show(tunable.Read())}\n";

    private string Set(Tunable tunable, string value, OrderClient client)
    {
        if (!tunable.IsOrder) return $"{tunable.Name} {tunable.Set(value, atStart: false)}\n";
        if (tunable.OrderWith is { } order) return order(value, client);
        tunable.CheckOrder(value);
        return Carry(tunable, client);
    }

    private string Carry(Tunable order, OrderClient client)
    {
        try
        {
            return order.Carry(client);
        }
        finally
        {
            Ordered();
        }
    }

    private string Help()
    {
        List<string[]> rows = [["key", "now", "values", "default", "also called", "meaning"]];
        foreach (Tunable t in tunables)
        {
            string meaning = t.Meaning + (t.Write == null && !t.IsOrder ? " (at the start only)" : "");
            rows.Add([t.Name, t.Show(t.Read()), t.Range, t.Show(t.Default), string.Join(' ', t.Aliases), meaning]);
        }
        if (Attach != null)
        {
            rows.Add(["attach", "-", "[ID:]NAME=PATH", "-", "", "serve a new device, or an absent one"]);
            rows.Add(["detach", "-", "NAME", "-", "", "write back what is cached of it, let it go"]);
        }
        return Align(rows);
    }

    // Every column as wide as its widest cell; the last one ends where it ends.
    private static string Align(List<string[]> rows)
    {
        StringBuilder text = new();
        int columns = rows[0].Length;
        int[] widths = new int[columns];
        foreach (string[] row in rows)
            for (int i = 0; i < columns; i++) widths[i] = Math.Max(widths[i], row[i].Length);
        foreach (string[] row in rows)
        {
            for (int i = 0; i < columns - 1; i++) text.Append(row[i].PadRight(widths[i])).Append("  ");
            text.Append(row[^1]).Append('\n');
        }
        return text.ToString();
    }

    private string Stop(bool force)
    {
        int result = stop(force);
        return result >= 0
            ? string.Concat(LastWords().Select(static line => $"{line}\n"))
            : throw new UserErrorException($"stopped, but not everything is durable: {Errno.Text(result)}");
    }
}

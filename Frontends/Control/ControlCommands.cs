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
/// <param name="rundown">Held open while something is done with the volume.</param>
/// <param name="volume">What <c>message</c> can set, and ask of it.</param>
/// <param name="report">Adds the figures of the program and the volume.</param>
/// <param name="stop">Begins the orderly stop, forced or not, and returns when it is over: 0, or a negative
/// errno.</param>
internal sealed class ControlCommands(
    RundownGuard rundown, OpenedVolume volume, Action<IStatusWriter> report, Func<bool, int> stop)
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
            : rundown.Visit(() => Visit(line, new OrderClient(rundown, isGone, progress)));

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
            ["message", ..] when rundown.IsClosing => throw new UserErrorException("stopping"),
            ["message", var key, .. var values] => Message(key, values, client),
            _ => throw new UserErrorException($"unknown request '{line}'; known: status, message, stop", 2),
        };
    }

    private static bool IsKey(string word, string key) => word.Equals(key, StringComparison.OrdinalIgnoreCase);

    private string Json()
    {
        using JsonStatus status = new();
        report(status);
        return status.Finish();
    }

    private string Explain()
    {
        ExplainStatus status = new(volume.Tunables);
        report(status);
        return status.Finish();
    }

    private string Table()
    {
        TextStatus status = new();
        report(status);
        return status.Finish();
    }

    private string Message(string key, string[] values, OrderClient client)
    {
        if (VolumeCommand.FindOrNull(volume.Commands, key) is { } command) return Run(command, values, client);
        if (!volume.Tunables.Any(tunable => tunable.IsCalled(key)))
            throw Tunable.Unknown(key, [.. volume.Tunables.Select(static tunable => tunable.Name),
                .. volume.Commands.Select(static known => known.Name), "help"]);
        Tunable found = Tunable.Find(volume.Tunables, key);
        return values switch
        {
            [] => $"{found.Name} {found.Show(found.Read())}\n",
            [var value] => found.Answer(value),
            _ => throw new UserErrorException($"{found.Name}: expected one value, {found.Range}", 2),
        };
    }

    private string Run(VolumeCommand command, string[] arguments, OrderClient client)
    {
        try
        {
            return command.Run(client, arguments);
        }
        finally
        {
            Ordered();
        }
    }

    private string Help()
    {
        List<string[]> rows = [["key", "now", "values", "default", "also called", "meaning"]];
        foreach (Tunable t in volume.Tunables)
        {
            string meaning = t.Meaning + (t.Write == null ? " (at the start only)" : "");
            rows.Add([t.Name, t.Show(t.Read()), t.Range, t.Show(t.Default), string.Join(' ', t.Aliases), meaning]);
        }
        foreach (VolumeCommand command in volume.Commands)
            rows.Add([command.Name, "-", command.Form.Length > 0 ? command.Form : "-", "-", "", command.Meaning]);
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
            : throw new UserErrorException(string.Join("; ",
                [$"stopped, but not everything is durable: {Errno.Text(result)}", .. LastWords()]));
    }
}

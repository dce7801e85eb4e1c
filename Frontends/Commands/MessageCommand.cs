using System;
using System.CommandLine;
using System.Linq;
using Weir.Core.Base;
using Weir.Frontends.Control;
using Weir.Frontends.Status;

namespace Weir.Frontends.Commands;

/// <summary><c>weir message</c>: reads and sets what can be tuned on a served volume.</summary>
internal static class MessageCommand
{
    /// <summary>The command.</summary>
    public static Command Build()
    {
        Option<string> control = SharedOptions.Control();
        Argument<string> key = new("KEY") { Description = "What to read or set; 'help' lists everything." };
        Argument<string[]> value = new("VALUE")
        {
            Description = "The new value; without it the present one is printed, or the order given. Some orders take "
                + "values, as 'help' shows.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        Command command = new("message", "Read or set what can be tuned on a served volume.") { control, key, value };
        command.SetAction(result =>
            Run(result.GetValue(control)!, result.GetValue(key)!, result.GetValue(value) ?? []));
        return command;
    }

    private static int Run(string control, string key, string[] values)
    {
        if (key.Length == 0 || values.Contains(""))
            throw new UserErrorException($"message '{key}': an empty {(key.Length == 0 ? "key" : "value")}; "
                + "a value that is left out reads", 2);
        if (values.Append(key).Any(static word => word.AsSpan().IndexOfAny(" \t\r\n") >= 0))
            throw new UserErrorException($"message '{key}': a key or value has no blanks", 2);
        Output.Write(Ask(control, string.Join(' ', ["message", key, .. values])));
        return Program.Done;
    }

    private static string Ask(string control, string question)
    {
        ProgressLine progress = ProgressLine.OnStandardError();
        try
        {
            return ControlConnection.Ask(
                control, question, (left, total) => progress.Report("blocks", total - left, total));
        }
        finally
        {
            progress.Finish();
        }
    }
}

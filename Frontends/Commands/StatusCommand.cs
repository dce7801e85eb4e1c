using System;
using System.CommandLine;
using System.Threading;
using Weir.Core.Base;
using Weir.Frontends.Control;

namespace Weir.Frontends.Commands;

/// <summary><c>weir status</c>: what a served volume reports.</summary>
internal static class StatusCommand
{
    private const int WatchIntervalMs = 1000;
    private const string ClearScreen = "\u001b[H\u001b[2J";

    /// <summary>The command.</summary>
    public static Command Build()
    {
        Option<string> control = SharedOptions.Control();
        Option<bool> json = new("--json") { Description = "One JSON object on one line." };
        Option<bool> dm = new("--dm")
        {
            Description = "The status and table lines that dmsetup printed for the kernel's program.",
        };
        Option<bool> watch = new("--watch") { Description = "Again every second, until the volume ends." };
        Command command = new("status", "Show what a served volume reports.") { control, json, dm, watch };
        command.SetAction(result =>
            Run(result.GetValue(control)!, Question(result.GetValue(json), result.GetValue(dm)),
                result.GetValue(watch)));
        return command;
    }

    private static string Question(bool json, bool dm)
    {
        if (json && dm) throw new UserErrorException("--json and --dm are two forms; expected one of them", 2);
        return json ? "status json" : dm ? "status dm" : "status text";
    }

    private static int Run(string control, string question, bool watch)
    {
        string before = watch && question != "status json" && !Console.IsOutputRedirected ? ClearScreen : "";
        Output.Write(before + ControlConnection.Ask(control, question));
        while (watch && !Output.IsClosed)
        {
            Thread.Sleep(WatchIntervalMs);
            if (!TryAsk(control, question, out string text)) break;
            Output.Write(before + text);
        }
        return Program.Done;
    }

    private static bool TryAsk(string control, string question, out string text)
    {
        text = "";
        try
        {
            text = ControlConnection.Ask(control, question);
            return true;
        }
        catch (UserErrorException)
        {
            return false;
        }
    }
}

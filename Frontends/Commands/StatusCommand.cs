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
        Option<bool> watch = new("--watch") { Description = "Again every second, until the volume ends." };
        Command command = new("status", "Show what a served volume reports.") { control, json, watch };
        command.SetAction(result =>
            Run(result.GetValue(control)!, result.GetValue(json), result.GetValue(watch)));
        return command;
    }

    private static int Run(string control, bool json, bool watch)
    {
        string question = json ? "status json" : "status text";
        string before = watch && !json && !Console.IsOutputRedirected ? ClearScreen : "";
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

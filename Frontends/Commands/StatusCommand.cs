using System.CommandLine;
using System.Linq;
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
        Option<bool> explain = new("--explain") { Description = "What each figure means, beside its present value." };
        Option<bool> watch = new("--watch") { Description = "Again every second, until the volume ends." };
        Command command = new("status", "Show what a served volume reports.") { control, json, dm, explain, watch };
        command.SetAction(result =>
            Run(result.GetValue(control)!,
                Question(result.GetValue(json), result.GetValue(dm), result.GetValue(explain)),
                result.GetValue(watch)));
        return command;
    }

    private static string Question(bool json, bool dm, bool explain)
    {
        string[] forms = [.. new[] { json ? "--json" : "", dm ? "--dm" : "", explain ? "--explain" : "" }
            .Where(static form => form != "")];
        if (forms.Length > 1)
            throw new UserErrorException($"{string.Join(" and ", forms)} are several forms; expected one of them", 2);
        return forms.Length == 0 ? "status text" : "status " + forms[0][2..];
    }

    private static int Run(string control, string question, bool watch)
    {
        bool redraws = watch && question != "status json" && Terminal.CanRedraw(Terminal.StandardOutput);
        string before = redraws ? ClearScreen : "";
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

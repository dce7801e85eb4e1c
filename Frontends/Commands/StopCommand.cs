using System;
using System.CommandLine;
using System.Threading;
using Weir.Core.Base;
using Weir.Frontends.Compose;
using Weir.Frontends.Control;

namespace Weir.Frontends.Commands;

/// <summary>
/// <c>weir stop</c>: flush, finish, and wait until the process is gone; or give up a block device that a dead one left.
/// </summary>
internal static class StopCommand
{
    private const int FirstLookMs = 2000, LookMs = 10_000;

    /// <summary>The command.</summary>
    public static Command Build()
    {
        Option<string> control = SharedOptions.Control(required: false);
        Option<string?> device = new("--device")
        {
            HelpName = "PATH",
            Description = "Instead: a block device that a weir left when it died. Its users get errors: needs --force.",
        };
        Option<bool> force = new("--force")
        {
            Description = "Do not wait until the block device is released: its users get errors. Nor for a device "
                + "below that does not answer: what was acknowledged is finished by the next start.",
        };
        Command command = new("stop", "Flush and end a served volume; exit 0 says that everything is durable.")
        {
            control, device, force,
        };
        command.SetAction(result => Run(result.GetValue(control), result.GetValue(device), result.GetValue(force)));
        return command;
    }

    private static int Run(string? control, string? device, bool force)
    {
        if ((control == null) == (device == null))
            throw new UserErrorException("stop: expected either --control or --device", Program.WrongUsage);
        // The connection ends with the process.
        if (control != null) Output.Write(Ask(control, force ? "stop force" : "stop"));
        else BlockDevices.GiveUp(device!, force);
        return Program.Done;
    }

    // Whoever waits is told what for, as the server's log is.
    private static string Ask(string control, string question)
    {
        using Timer watch = new(_ => SayWhatFor(control), null, FirstLookMs, LookMs);
        return ControlConnection.Ask(control, question);
    }

    private static void SayWhatFor(string control)
    {
        const string key = "not_answering";
        try
        {
            foreach (string line in ControlConnection.Ask(control, "status text").Split('\n'))
                if (line.StartsWith(key, StringComparison.Ordinal))
                    Program.Log($"waits: {line[key.Length..].Trim()}; --force ends without waiting for it");
        }
        catch (UserErrorException)
        {
            // It has just ended.
        }
    }
}

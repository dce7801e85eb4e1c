using System.CommandLine;
using Weir.Core.Base;
using Weir.Frontends.Control;

namespace Weir.Frontends.Commands;

/// <summary>
/// <c>weir stop</c>: flush, finish, and wait until the process is gone; or give up a block device that a dead one left.
/// </summary>
internal static class StopCommand
{
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
            Description = "Do not wait until the block device is released: its users get errors.",
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
        if (control != null) Output.Write(ControlConnection.Ask(control, force ? "stop force" : "stop"));
        else Compose.GiveUp(device!, force);
        return Program.Done;
    }
}

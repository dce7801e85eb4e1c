using System.CommandLine;
using Weir.Frontends.Control;

namespace Weir.Frontends.Commands;

/// <summary><c>weir stop</c>: flush, finish, and wait until the process is gone.</summary>
internal static class StopCommand
{
    /// <summary>The command.</summary>
    public static Command Build()
    {
        Option<string> control = SharedOptions.Control();
        Command command = new("stop", "Flush and end a served volume; exit 0 says that everything is durable.")
        {
            control,
        };
        command.SetAction(result =>
        {
            // The connection ends with the process.
            ControlConnection.Ask(result.GetValue(control)!, "stop");
            return Program.Done;
        });
        return command;
    }
}

using System;
using System.CommandLine;

namespace Weir.Frontends.Commands;

/// <summary>
/// <c>weir list</c>: the block devices of Weir's on this machine, those that nobody serves any more too.
/// </summary>
internal static class ListCommand
{
    /// <summary>The command.</summary>
    public static Command Build()
    {
        Command command = new("list", "List the block devices (ublk) that Weir serves, or has left behind.");
        command.SetAction(_ =>
        {
            foreach (string line in Compose.BlockDevices()) Console.Out.WriteLine(line);
            return Program.Done;
        });
        return command;
    }
}

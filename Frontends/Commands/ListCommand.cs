using System.CommandLine;
using Weir.Frontends.Compose;
using Weir.Frontends.Status;

namespace Weir.Frontends.Commands;

/// <summary>
/// <c>weir list</c>: the block devices of Weir's on this machine and the memory of its processes, those that nobody
/// serves any more too.
/// </summary>
internal static class ListCommand
{
    /// <summary>The command.</summary>
    public static Command Build()
    {
        Option<string?> memory = new("--memory") { HelpName = "DIR", Description = "Look into this folder too." };
        Option<bool> json = new("--json") { Description = "One JSON object per line." };
        Command command = new("list",
            "List the block devices (ublk) and the memory of caches that Weir serves, or has left behind.")
        {
            memory, json,
        };
        command.SetAction(result => Run(result.GetValue(memory), result.GetValue(json)));
        return command;
    }

    private static int Run(string? folder, bool json)
    {
        using JsonItems items = new();
        foreach (MemoryNote note in Memories.All(folder))
        {
            if (json) note.WriteTo(items);
            else Output.Write($"memory {note.Line}\n");
        }
        foreach (BlockDeviceNote note in BlockDevices.All())
        {
            if (json) note.WriteTo(items);
            else Output.Write(note.Line + "\n");
        }
        return Program.Done;
    }
}

using System.CommandLine;

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
        Command command = new("list",
            "List the block devices (ublk) and the memory of caches that Weir serves, or has left behind.")
        {
            memory,
        };
        command.SetAction(result =>
        {
            foreach (MemoryNote note in Compose.Memories(result.GetValue(memory)))
                Output.Write($"memory {note.Line}\n");
            foreach (string line in Compose.BlockDevices()) Output.Write(line + "\n");
            return Program.Done;
        });
        return command;
    }
}

using System.Collections.Generic;
using System.CommandLine;
using System.Linq;
using Weir.Core.Base;
using Weir.Frontends.Compose;

namespace Weir.Frontends.Commands;

/// <summary><c>weir clean</c>: removes memory that processes left and nobody needs any more.</summary>
internal static class CleanCommand
{
    /// <summary>The command.</summary>
    public static Command Build()
    {
        Option<bool> write = new("--write") { Description = "Do it; without this only what would be done is said." };
        Option<string[]> force = new("--force")
        {
            HelpName = "FILE|UUID",
            Description = "Remove this one too, although a later start may need it: what was acknowledged and is in it "
                + "alone is lost. May be given more than once.",
        };
        Option<string?> memory = new("--memory") { HelpName = "DIR", Description = "Look into this folder too." };
        Command command = new("clean", "Remove memory that dead processes left and nobody needs any more. Says what it "
            + "would do, and does it with --write.")
        {
            write, force, memory,
        };
        command.SetAction(result =>
            Run(result.GetValue(memory), result.GetValue(write), result.GetValue(force) ?? []));
        return command;
    }

    private static int Run(string? folder, bool write, string[] force)
    {
        List<MemoryNote> notes = Memories.All(folder);
        foreach (string word in force)
            if (!notes.Any(note => note.IsCalled(word)))
                throw new UserErrorException($"--force {word}: no memory of that name; see 'weir list'");
        bool isDone = true;
        foreach (MemoryNote note in notes)
        {
            bool isForced = force.Any(note.IsCalled);
            bool goes = note.Use == MemoryUse.None || (isForced && note.Use != MemoryUse.InUse);
            if (isForced && !goes) isDone = false;
            string what = !goes ? "kept" : !write ? "would be removed" : note.TryRemove() ? "removed" : "kept, taken";
            Output.Write($"{what}: {note.Line}\n");
        }
        return isDone ? Program.Done : Program.Failed;
    }
}

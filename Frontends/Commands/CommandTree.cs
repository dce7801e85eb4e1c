using System.CommandLine;
using System.CommandLine.Help;

namespace Weir.Frontends.Commands;

/// <summary>The commands there are; each has a file of its own here.</summary>
internal static class CommandTree
{
    /// <summary>The whole tree; its help is as wide as the terminal, if it goes to one.</summary>
    public static RootCommand Build()
    {
        RootCommand root = Commands();
        int columns = Terminal.Columns(Terminal.StandardOutput);
        foreach (Option option in root.Options)
            if (option.Action is HelpAction help) help.MaxWidth = columns > 0 ? columns : int.MaxValue;
        return root;
    }

    private static RootCommand Commands() => new(
        "A block cache: a fast device in front of a slow one, served over NBD or as a block device.")
    {
        FormatCommand.Build(),
        ServeCommand.Build(),
        StatusCommand.Build(),
        MessageCommand.Build(),
        StopCommand.Build(),
        ListCommand.Build(),
        CleanCommand.Build(),
        CheckCommand.Build(),
        DumpCommand.Build(),
        DrainCommand.Build(),
        RestoreCommand.Build(),
        RepairCommand.Build(),
        BenchCommand.Build(),
        SimulateCommand.Build(),
        RecordCommand.Build(),
    };
}

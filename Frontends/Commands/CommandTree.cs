using System.CommandLine;

namespace Weir.Frontends.Commands;

/// <summary>The commands there are; each has a file of its own here.</summary>
internal static class CommandTree
{
    /// <summary>The whole tree.</summary>
    public static RootCommand Build() => new(
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
        RepairCommand.Build(),
        BenchCommand.Build(),
    };
}

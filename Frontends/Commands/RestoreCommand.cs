using System.CommandLine;
using Weir.Frontends.Compose;

namespace Weir.Frontends.Commands;

/// <summary><c>weir restore</c>: makes a cache of what <c>weir dump</c> has shown.</summary>
internal static class RestoreCommand
{
    /// <summary>The command.</summary>
    public static Command Build()
    {
        VolumeOptions volume = new(EngineCommand.Restore, "What the cache is for: dmcache.",
            withBackings: false, isTuned: false);
        Option<string> input = new("--input")
        {
            HelpName = "FILE",
            Description = "The dump: XML of 'weir dump' or cache_dump.",
            Required = true,
        };
        Option<bool> force = new("--force")
        {
            Description = "Write although there is something on the device. " + SharedOptions.HowFarItLooks,
        };
        Command command = new("restore", "Make the metadata of a cache from a dump.");
        volume.AddTo(command);
        command.Add(input);
        command.Add(force);
        command.SetAction(result => Run(
            (volume.Read(result) with { Force = result.GetValue(force) }).Check(), result.GetValue(input)!));
        return command;
    }

    private static int Run(VolumeSpec spec, string input)
    {
        IEngineTools tools = EngineTable.ToolsOf(spec.Engine, "restore");
        string made = ToolCommand.WithProgress(
            shows: true, progress => tools.Restore(new ToolRun(spec, Program.Log, progress), input));
        Output.Write($"weir: restored {made}\n");
        return Program.Done;
    }
}

using System.CommandLine;
using Weir.Frontends.Compose;

namespace Weir.Frontends.Commands;

/// <summary><c>weir format</c>: makes an empty cache on a device.</summary>
internal static class FormatCommand
{
    /// <summary>The command.</summary>
    public static Command Build()
    {
        VolumeOptions volume = new(EngineCommand.Format, $"What the cache is for: {EngineTable.CacheNames}.",
            withBackings: false, isTuned: false);
        Option<bool> force = new("--force")
        {
            Description = "Format although there is something on the device. " + SharedOptions.HowFarItLooks,
        };
        Command command = new("format", "Make an empty cache on a device.");
        volume.AddTo(command);
        command.Add(force);
        command.SetAction(result => Run((volume.Read(result) with { Force = result.GetValue(force) }).Check()));
        return command;
    }

    private static int Run(VolumeSpec spec)
    {
        IEngineTools tools = EngineTable.ToolsOf(spec.Engine, "format");
        string made = ToolCommand.WithProgress(
            shows: true, progress => tools.Format(new ToolRun(spec, Program.Log, progress)));
        Output.Write($"weir: formatted {made}\n");
        return Program.Done;
    }
}

using System.CommandLine;
using Weir.Core.Base;

namespace Weir.Frontends.Commands;

/// <summary><c>weir format</c>: makes an empty cache on a device.</summary>
internal static class FormatCommand
{
    /// <summary>The command.</summary>
    public static Command Build()
    {
        Argument<string> engine = SharedOptions.Engine("What the cache is for: writeboost.");
        Option<string?> cache = SharedOptions.Cache();
        Option<string?> layout = SharedOptions.Layout();
        Option<string?> segmentSize = SharedOptions.SegmentSize();
        Option<bool> force = new("--force")
        {
            Description = "Format although there is something on the device. " + SharedOptions.HowFarItLooks,
        };
        Command command = new("format", "Make an empty cache on a device.")
        {
            engine, cache, layout, segmentSize, force,
        };
        command.SetAction(result => Run(new VolumeSpec
        {
            Engine = result.GetValue(engine)!,
            Cache = result.GetValue(cache),
            Layout = result.GetValue(layout),
            SegmentBytes = SharedOptions.SizeOf(result.GetValue(segmentSize), "--segment-size"),
            Force = result.GetValue(force),
        }));
        return command;
    }

    private static int Run(VolumeSpec spec)
    {
        if (!Compose.HasCache(spec.Check().Engine))
            throw new UserErrorException($"{spec.Engine} has no cache to format", Program.WrongUsage);
        string made = ToolCommand.WithProgress(
            shows: true, progress => Compose.Format(spec.Check(), Program.Log, progress));
        Output.Write($"weir: formatted {made}\n");
        return Program.Done;
    }
}

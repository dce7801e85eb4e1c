using System;
using System.CommandLine;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Frontends.Status;

namespace Weir.Frontends.Commands;

/// <summary>What the offline tools have in common: engine, cache device, layout, and how they report.</summary>
internal sealed class ToolCommand
{
    private readonly Argument<string> _engine = SharedOptions.Engine("What the cache is for: writeboost.");
    private readonly Option<string?> _cache = SharedOptions.Cache();
    private readonly Option<string?> _layout = SharedOptions.Layout();
    private readonly Option<bool> _json = new("--json") { Description = "One JSON object per line." };

    /// <summary>A command called <paramref name="name"/>; <paramref name="run"/> does the work.</summary>
    public ToolCommand(string name, string description, Func<ParseResult, VolumeSpec, IItemWriter, int> run)
    {
        Command = new Command(name, description) { _engine, _cache, _layout, _json };
        Command.SetAction(result => run(
            result, Read(result), result.GetValue(_json) ? new JsonItems() : new TextItems()));
    }

    /// <summary>
    /// Does <paramref name="work"/> with a line that says how far it has come; none where items come to the same
    /// terminal.
    /// </summary>
    public static T WithProgress<T>(bool shows, Func<Action<string, long, long>?, T> work)
    {
        ProgressLine line = ProgressLine.OnStandardError();
        try
        {
            return work(shows ? line.Report : null);
        }
        finally
        {
            line.Finish();
        }
    }

    /// <summary>The command, for options of its own.</summary>
    public Command Command { get; }

    private VolumeSpec Read(ParseResult result)
    {
        VolumeSpec spec = new VolumeSpec
        {
            Engine = result.GetValue(_engine)!,
            Cache = result.GetValue(_cache),
            Layout = result.GetValue(_layout),
        }.Check();
        if (!Compose.HasCache(spec.Engine))
            throw new UserErrorException($"{spec.Engine} has no cache to look at", Program.WrongUsage);
        return spec;
    }
}

/// <summary><c>weir check</c>: is everything in order?</summary>
internal static class CheckCommand
{
    /// <summary>The command.</summary>
    public static Command Build() => new ToolCommand(
        "check",
        "Read a cache that is not served, completely, and say what is fine, torn or rotten. Writes nothing; exit 1 "
            + "when something is wrong.",
        static (_, spec, items) => ToolCommand.WithProgress(
            shows: true, progress => Compose.Check(spec, items, Program.Log, progress)) == 0
            ? Program.Done : Program.Failed).Command;
}

/// <summary><c>weir dump</c>: shows what lies on a cache device.</summary>
internal static class DumpCommand
{
    /// <summary>The command.</summary>
    public static Command Build()
    {
        Option<long?> segment = new("--segment")
        {
            HelpName = "N",
            Description = "Only the segment at place N of the device, counted from 0.",
        };
        ToolCommand tool = new(
            "dump", "Show superblock, record headers and entries of a cache that is not served. Writes nothing.",
            (result, spec, items) =>
            {
                long? only = result.GetValue(segment);
                if (only < 0) throw new UserErrorException($"--segment {only}: expected a number from 0 on", 2);
                return ToolCommand.WithProgress(!Terminal.IsOne(Terminal.StandardOutput), progress =>
                {
                    Compose.Dump(spec, only, items, Program.Log, progress);
                    return Program.Done;
                });
            });
        tool.Command.Add(segment);
        return tool.Command;
    }
}

/// <summary><c>weir repair</c>: gets a damaged cache served again.</summary>
internal static class RepairCommand
{
    /// <summary>The command.</summary>
    public static Command Build()
    {
        Option<bool> write = new("--write")
        {
            Description = "Do it; without this only what would be done is said.",
        };
        Option<long?> dropAfter = new("--drop-after")
        {
            HelpName = "RECORD",
            Description = "Give up everything behind this record, where the log is damaged although it was flushed.",
        };
        Option<Guid?> uuid = new("--uuid")
        {
            HelpName = "UUID",
            Description = "Which cache's superblock to rebuild, where headers of several are found.",
        };
        Option<string?> damaged = new("--damaged")
        {
            Description = "Layouts of the kernel: what becomes of a segment in which something is rotten, and nothing "
                + "tells which block. All of them count as they are, or none.",
        };
        damaged.AcceptOnlyFromAmong("keep", "drop");
        Option<long?> segment = new("--segment")
        {
            HelpName = "N",
            Description = "With --damaged: only of this segment.",
        };
        Option<long?> mark = new("--mark")
        {
            HelpName = "N",
            Description = "Layouts of the kernel: let the log begin behind segment N, where the superblock wrongly "
                + "says that more has been written back.",
        };
        ToolCommand tool = new(
            "repair", "Rebuild a lost superblock from the segments, or give up what lies behind damage. Says what it "
                + "would do, and does it with --write.",
            (result, spec, items) =>
            {
                RepairSpec repair = new(
                    result.GetValue(write), result.GetValue(dropAfter), result.GetValue(uuid),
                    result.GetValue(damaged) is { } word ? word == "keep" : null, result.GetValue(segment),
                    result.GetValue(mark));
                return ToolCommand.WithProgress(shows: true, progress =>
                    Compose.Repair(spec, repair, items, Program.Log, progress)) ? Program.Done : Program.Failed;
            });
        tool.Command.Add(write);
        tool.Command.Add(dropAfter);
        tool.Command.Add(uuid);
        tool.Command.Add(damaged);
        tool.Command.Add(segment);
        tool.Command.Add(mark);
        return tool.Command;
    }
}

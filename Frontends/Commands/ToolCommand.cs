using System;
using System.CommandLine;
using Weir.Core.Io;
using Weir.Frontends.Compose;
using Weir.Frontends.Status;

namespace Weir.Frontends.Commands;

/// <summary>What the offline tools have in common: engine, cache device, and how they report.</summary>
internal sealed class ToolCommand
{
    private readonly VolumeOptions _volume;
    private readonly Option<bool> _json = new("--json") { Description = "One JSON object per line." };

    /// <summary>The command <paramref name="command"/>; <paramref name="run"/> does the work.</summary>
    public ToolCommand(
        EngineCommand command, string description, Func<ParseResult, IEngineTools, VolumeSpec, IItemWriter, int> run)
    {
        _volume = new VolumeOptions(
            command, $"What the cache is for: {EngineTable.CacheNames}.", withBackings: false, isTuned: false);
        Command = new Command(command.ToString().ToLowerInvariant(), description);
        _volume.AddTo(Command);
        Command.Add(_json);
        Command.SetAction(result =>
        {
            VolumeSpec spec = _volume.Read(result).Check();
            IEngineTools tools = EngineTable.ToolsOf(spec.Engine, "look at");
            return run(result, tools, spec, result.GetValue(_json) ? new JsonItems() : new TextItems());
        });
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
}

/// <summary><c>weir check</c>: is everything in order?</summary>
internal static class CheckCommand
{
    /// <summary>The command.</summary>
    public static Command Build() => new ToolCommand(
        EngineCommand.Check,
        "Read a cache that is not served, completely, and say what is fine, torn or rotten. Writes nothing; exit 1 "
            + "when something is wrong.",
        static (_, tools, spec, items) => ToolCommand.WithProgress(
            shows: true, progress => tools.Check(new ToolRun(spec, Program.Log, progress), items)) == 0
            ? Program.Done : Program.Failed).Command;
}

/// <summary><c>weir dump</c>: shows what lies on a cache device.</summary>
internal static class DumpCommand
{
    /// <summary>The command.</summary>
    public static Command Build() => new ToolCommand(
        EngineCommand.Dump,
        "Show superblock, record headers and entries of a cache that is not served. Writes nothing.",
        static (_, tools, spec, items) =>
            ToolCommand.WithProgress(!Terminal.IsOne(Terminal.StandardOutput), progress =>
            {
                tools.Dump(new ToolRun(spec, Program.Log, progress), items);
                return Program.Done;
            })).Command;
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
        ToolCommand tool = new(
            EngineCommand.Repair,
            "Rebuild a lost superblock from the segments, or give up what lies behind damage. Says what it would do, "
                + "and does it with --write.",
            (result, tools, spec, items) => ToolCommand.WithProgress(shows: true, progress =>
                tools.Repair(new ToolRun(spec, Program.Log, progress), result.GetValue(write), items))
                ? Program.Done : Program.Failed);
        tool.Command.Add(write);
        return tool.Command;
    }
}

using System.CommandLine;
using System.Linq;
using Weir.Core.Base;
using Weir.Core.Traces;
using Weir.Frontends.Compose;
using Weir.Frontends.Simulate;

namespace Weir.Frontends.Commands;

/// <summary><c>weir simulate</c>: tries policies and sizes of a cache on a recorded trace.</summary>
internal static class SimulateCommand
{
    /// <summary>The command.</summary>
    public static Command Build()
    {
        Options options = new();
        Command command = new("simulate", "Try policies and sizes of a cache on recorded requests: how many would "
            + "miss, beside the optimum. Writes nothing but the chart.")
        { options.Traces };
        foreach (Option option in options.All) command.Add(option);
        command.SetAction(result => SimulateRun.Run(options.Read(result)));
        return command;
    }

    private sealed class Options
    {
        public Argument<string[]> Traces { get; } = new("TRACE")
        {
            Description = "A fio iolog, blkparse text, CSV (time, op, offset, length), MSR Cambridge CSV or "
                + "libCacheSim oracleGeneral, plain, .gz or .zst. Several are parts of one trace, in this order.",
            Arity = ArgumentArity.OneOrMore,
        };

        public Option[] All => [Engine, Policy, Sizes, Block, Format, Requests, Json, Chart];

        private Option<string> Engine { get; } = Text("--engine", "dmcache", "ENGINE", SimulatedEngine.Names + ".");

        private Option<string> Policy { get; } = Text("--policy", "all", "NAME,NAME...", "Policies, or all.");

        private Option<string> Sizes { get; } = Text("--sizes", CacheSize.Usual, "SIZE,SIZE...",
            "Sizes of the cache: bytes such as 4G, or percent of all blocks in the trace.");

        private Option<string> Block { get; } = Text("--block-size", "64K", "SIZE", "Bytes of a block of the cache.");

        private Option<string?> Format { get; } = new("--format")
        {
            HelpName = "KIND", Description = $"What the trace is, if its content does not say: {TraceKinds.Names}.",
        };

        private Option<long?> Requests { get; } = new("--requests")
        {
            HelpName = "N", Description = "Only the first so many.",
        };

        private Option<bool> Json { get; } = new("--json") { Description = "One JSON object instead of the table." };

        private Option<string?> Chart { get; } = new("--svg")
        {
            HelpName = "FILE", Description = "Draw a chart besides: misses over size, a line for each policy.",
        };

        public SimulateSpec Read(ParseResult result)
        {
            SimulatedEngine engine = SimulatedEngine.Find(result.GetValue(Engine)!);
            long? requests = result.GetValue(Requests);
            if (requests <= 0)
                throw new UserErrorException($"--requests {requests}: expected 1 or more", Program.WrongUsage);
            string? format = result.GetValue(Format);
            TraceSource source = new(
                result.GetValue(Traces)!, format == null ? null : TraceKinds.Find(format),
                engine.BlockBytesOf(result.GetValue(Block)!), requests ?? long.MaxValue);
            return new SimulateSpec(
                source, engine, engine.PoliciesOf(result.GetValue(Policy)!),
                [.. result.GetValue(Sizes)!.Split(',').Select(CacheSize.Parse)],
                result.GetValue(Json), result.GetValue(Chart));
        }

        private static Option<string> Text(string name, string value, string helpName, string description) =>
            new(name) { HelpName = helpName, Description = description, DefaultValueFactory = _ => value };
    }
}

using System.CommandLine;
using Weir.Core.Base;
using Weir.Frontends.Bench;
using Weir.Frontends.Compose;

namespace Weir.Frontends.Commands;

/// <summary><c>weir bench</c>: drives an engine without clients and prints what it did.</summary>
internal static class BenchCommand
{
    private const int DepthMax = 1024, OnceMax = 1 << 28;
    private const long StrideMax = 1L << 40;

    /// <summary>The command.</summary>
    public static Command Build()
    {
        VolumeOptions volume = new(
            EngineCommand.Bench, $"What to measure: {EngineTable.CacheNames}, or passthrough.");
        Option<bool> force = new("--force")
        {
            Description = "Write over what is there. " + SharedOptions.HowFarItLooks,
        };
        JobOptions job = new();
        Command command = new("bench", "Drive an engine in this process, without sockets; figures as JSON. It "
            + "writes to both devices, and refuses those that hold something.");
        volume.AddTo(command);
        command.Add(force);
        foreach (Option option in job.All) command.Add(option);
        command.SetAction(result =>
        {
            VolumeSpec spec = volume.Read(result).Check();
            Output.Write(BenchRun.Run(spec with { Force = result.GetValue(force) }, job.Read(result)));
            return Program.Done;
        });
        return command;
    }

    /// <summary>The options that say what is done.</summary>
    private sealed class JobOptions
    {
        public Option[] All =>
            [Job, Block, Stride, Once, Depth, Size, Zipf, Sync, Fill, Memory, Queues, Seconds, WarmUp];

        public Option<string> Job { get; } = Text("--job", "randwrite", "NAME", $"One of {BenchJob.Names}.");

        public Option<string> Block { get; } = Text("--block", "4K", "SIZE", "Bytes of each request.");

        public Option<string> Stride { get; } = new("--stride")
        {
            HelpName = "SIZE", Description = "From the start of one request to the next place (default: side by side).",
        };

        public Option<bool> Once { get; } = new("--once")
        {
            Description = "Each place once, in random order, from the start on; --seconds is the most it may take.",
        };

        public Option<int> Depth { get; } = Number("--depth", 32, "Requests on their way at a time, for each queue.");

        public Option<string> Size { get; } = Text("--size", "64M", "SIZE", "Bytes of the volume that are used.");

        public Option<double> Zipf { get; } = new("--zipf")
        {
            HelpName = "THETA", Description = "Some blocks are wanted more often: Zipf's law with this exponent.",
        };

        public Option<bool> Sync { get; } = new("--sync")
        {
            Description = "A flush after each write, which counts when that is done.",
        };

        public Option<bool> Fill { get; } = new("--fill") { Description = "Write the whole size once before." };

        public Option<string> Memory { get; } = Text("--memory", "64M", "SIZE",
            "Memory of each queue that the bytes move through: more than caches hold keeps it as cold as a client's.");

        public Option<int> Queues { get; } = Number("--queues", 1, "Queue threads, each with the whole job.");

        public Option<double> Seconds { get; } = new("--seconds")
        {
            HelpName = "N", Description = "How long to measure.", DefaultValueFactory = static _ => 5,
        };

        public Option<double> WarmUp { get; } = new("--warm-up")
        {
            HelpName = "N", Description = "Seconds before that.", DefaultValueFactory = static _ => 1,
        };

        public BenchSpec Read(ParseResult result)
        {
            (BenchPattern pattern, int readPercent) = BenchJob.Parse(result.GetValue(Job)!);
            double theta = result.GetValue(Zipf);
            if (theta is not (>= 0 and <= 10)) throw Usage($"--zipf {theta}: expected 0 to 10");
            if (theta > 0 && pattern != BenchPattern.Random) throw Usage("--zipf is for jobs at random places");
            bool once = result.GetValue(Once);
            if (once && (theta > 0 || pattern != BenchPattern.Random))
                throw Usage("--once is for jobs at random places, without --zipf");
            int block = (int)SizeWithin(result, Block, 512, 1 << 20);
            BenchJob job = new()
            {
                Pattern = once ? BenchPattern.Once : theta > 0 ? BenchPattern.Zipf : pattern, Theta = theta,
                ReadPercent = readPercent, BlockBytes = block,
                StrideBytes = result.GetValue(Stride) == null ? 0 : SizeWithin(result, Stride, block, StrideMax),
                Depth = Within(result, Depth, DepthMax),
                SpanBytes = SizeWithin(result, Size, 4096, long.MaxValue), FlushesEach = result.GetValue(Sync),
            };
            if (job.Blocks < 1) throw Usage($"--size {result.GetValue(Size)}: less than a block");
            if (once && job.Blocks > OnceMax) throw Usage($"--once: {job.Blocks} places; expected at most {OnceMax}");
            double seconds = result.GetValue(Seconds), warmUp = result.GetValue(WarmUp);
            if (seconds is not (> 0 and < 1e6))
                throw Usage($"--seconds {seconds}: expected more than 0, below 1000000");
            if (warmUp is not (>= 0 and < 1e6))
                throw Usage($"--warm-up {warmUp}: expected 0 or more, below 1000000");
            long memory = SizeWithin(result, Memory, 2L * (job.BlockBytes + 8192) * job.Depth, 1L << 40);
            return new BenchSpec(job, Within(result, Queues, 64), seconds, warmUp, result.GetValue(Fill), memory);
        }

        private static Option<string> Text(string name, string value, string helpName, string description) =>
            new(name) { HelpName = helpName, Description = description, DefaultValueFactory = _ => value };

        private static Option<int> Number(string name, int value, string description) =>
            new(name) { HelpName = "N", Description = description, DefaultValueFactory = _ => value };

        private static int Within(ParseResult result, Option<int> option, int most)
        {
            int value = result.GetValue(option);
            return value >= 1 && value <= most ? value : throw Usage($"{option.Name} {value}: expected 1 to {most}");
        }

        // Of whole sectors.
        private static long SizeWithin(ParseResult result, Option<string> option, long least, long most)
        {
            string text = result.GetValue(option)!;
            long value = ByteSize.Parse(text, option.Name);
            if (value % 512 == 0 && value >= least && value <= most) return value;
            throw Usage($"{option.Name} {text}: expected whole sectors of 512 bytes, "
                + $"{ByteSize.Format(least)} to {ByteSize.Format(most)}");
        }

        private static UserErrorException Usage(string message) => new(message, Program.WrongUsage);
    }
}

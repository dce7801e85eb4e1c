using Weir.Core.Base;

namespace Weir.Frontends.Bench;

/// <summary>Where the blocks of a job lie.</summary>
internal enum BenchPattern
{
    /// <summary>One after the other, from the start, round and round.</summary>
    Sequential,
    /// <summary>Each as likely as any other.</summary>
    Random,
    /// <summary>A few much more often than the rest (Zipf's law), spread over the whole span.</summary>
    Zipf,
    /// <summary>Each once, in random order; then the job ends.</summary>
    Once,
}

/// <summary>What every queue of a benchmark does, as fio's options of the same meaning say it.</summary>
internal sealed record BenchJob
{
    /// <summary>The names that <see cref="Parse"/> knows.</summary>
    public const string Names = "write, read, randwrite, randread, randrw";

    /// <summary>Where the blocks lie.</summary>
    public required BenchPattern Pattern { get; init; }

    /// <summary>Reads, of a hundred requests; the rest are writes.</summary>
    public required int ReadPercent { get; init; }

    /// <summary>Bytes of each request.</summary>
    public required int BlockBytes { get; init; }

    /// <summary>From the start of one block to the next; 0: they lie side by side.</summary>
    public long StrideBytes { get; init; }

    /// <summary>Requests on their way at a time, for each queue.</summary>
    public required int Depth { get; init; }

    /// <summary>Bytes of the volume that are used, from its start.</summary>
    public required long SpanBytes { get; init; }

    /// <summary>The exponent, for <see cref="BenchPattern.Zipf"/>.</summary>
    public double Theta { get; init; }

    /// <summary>Each write is followed by a flush, and counts when that is done.</summary>
    public bool FlushesEach { get; init; }

    /// <summary>Requests at most, for each queue: for filling a span once.</summary>
    public long RequestsMax { get; init; } = long.MaxValue;

    /// <summary>Bytes from the start of one block to the start of the next.</summary>
    public long StepBytes => StrideBytes > 0 ? StrideBytes : BlockBytes;

    /// <summary>Blocks in the span.</summary>
    public long Blocks => SpanBytes / StepBytes;

    /// <summary>Pattern and share of reads by fio's name for them.</summary>
    public static (BenchPattern Pattern, int ReadPercent) Parse(string name) => name switch
    {
        "write" => (BenchPattern.Sequential, 0),
        "read" => (BenchPattern.Sequential, 100),
        "randwrite" => (BenchPattern.Random, 0),
        "randread" => (BenchPattern.Random, 100),
        "randrw" => (BenchPattern.Random, 70),
        _ => throw new UserErrorException($"--job {name}: expected one of {Names}", Program.WrongUsage),
    };
}

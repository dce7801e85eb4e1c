using System.Linq;

namespace Weir.Bench.Measuring;

/// <summary>One job of fio, whatever it runs on.</summary>
/// <param name="Name">In tables.</param>
/// <param name="Arguments">Pattern, block size, depth and the like.</param>
internal sealed record FioJob(string Name, params string[] Arguments)
{
    /// <summary>Where reads that miss begin: behind what jobs write, and what servers are filled with.</summary>
    public const long MissOffsetBytes = 512L << 20;

    private static readonly FioJob[] s_all =
    [
        RandomWrite("randwrite 4k QD1", "--iodepth=1"),
        RandomWrite("randwrite 4k QD32", "--iodepth=32"),
        RandomWrite("randwrite 4k QD32 x2", "--iodepth=32", "--numjobs=2"),
        RandomWrite("randwrite 4k + fsync", "--iodepth=1", "--fsync=1"),
        RandomRead("randread 4k QD1", "--iodepth=1"),
        RandomRead("randread 4k QD32", "--iodepth=32"),
        RandomRead("randread 4k QD32 x2", "--iodepth=32", "--numjobs=2"),
        RandomRead("randread miss 4k QD32", "--iodepth=32", $"--offset={MissOffsetBytes}"),
        RandomRead("zipf 1.2 read 4k QD32", "--iodepth=32", "--random_distribution=zipf:1.2"),
        new("randrw 70/30 4k QD32", "--rw=randrw", "--rwmixread=70", "--bs=4k", "--iodepth=32"),
        new("write 256k QD8", "--rw=write", "--bs=256k", "--iodepth=8"),
        new("read 256k QD8", "--rw=read", "--bs=256k", "--iodepth=8"),
        new("write 1M QD4", "--rw=write", "--bs=1M", "--iodepth=4"),
        new("read 1M QD4", "--rw=read", "--bs=1M", "--iodepth=4"),
    ];

    /// <summary>Writes everything once and flushes it, so that nobody begins with a debt of its own choice.</summary>
    public static FioJob Fill { get; } = new("fill", "--rw=write", "--bs=256k", "--iodepth=8", "--end_fsync=1");

    /// <summary>Each write is followed by a flush.</summary>
    public bool Flushes => System.Array.Exists(Arguments, static argument => argument == "--fsync=1");

    /// <summary>The one of this name.</summary>
    public static FioJob Find(string name) => s_all.First(job => job.Name == name);

    /// <summary>The same with <paramref name="more"/> arguments, under another name.</summary>
    public FioJob With(string name, params string[] more) => new(name, [.. Arguments, .. more]);

    private static FioJob RandomWrite(string name, params string[] more) =>
        new(name, ["--rw=randwrite", "--bs=4k", .. more]);

    private static FioJob RandomRead(string name, params string[] more) =>
        new(name, ["--rw=randread", "--bs=4k", .. more]);
}

using System.Collections.Generic;

namespace Weir.Bench.Measuring;

/// <summary>One job of fio, whatever it runs on.</summary>
/// <param name="Name">In tables.</param>
/// <param name="Arguments">Pattern, block size, depth and the like.</param>
internal sealed record FioJob(string Name, params string[] Arguments)
{
    /// <summary>What clients of caches do, in short.</summary>
    public static IReadOnlyList<FioJob> All { get; } =
    [
        new("randwrite 4k QD1", "--rw=randwrite", "--bs=4k", "--iodepth=1"),
        new("randwrite 4k QD32", "--rw=randwrite", "--bs=4k", "--iodepth=32"),
        new("randwrite 4k + fsync", "--rw=randwrite", "--bs=4k", "--iodepth=1", "--fsync=1"),
        new("randread 4k QD1", "--rw=randread", "--bs=4k", "--iodepth=1"),
        new("randread 4k QD32", "--rw=randread", "--bs=4k", "--iodepth=32"),
        new("randrw 70/30 4k QD32", "--rw=randrw", "--rwmixread=70", "--bs=4k", "--iodepth=32"),
        new("zipf 1.2 read 4k QD32", "--rw=randread", "--bs=4k", "--iodepth=32", "--random_distribution=zipf:1.2"),
        new("write 256k QD8", "--rw=write", "--bs=256k", "--iodepth=8"),
        new("read 256k QD8", "--rw=read", "--bs=256k", "--iodepth=8"),
        new("write 1M QD4", "--rw=write", "--bs=1M", "--iodepth=4"),
        new("read 1M QD4", "--rw=read", "--bs=1M", "--iodepth=4"),
        new("randwrite 4k QD32 x2", "--rw=randwrite", "--bs=4k", "--iodepth=32", "--numjobs=2"),
    ];

    /// <summary>The one of this name.</summary>
    public static FioJob Find(string name)
    {
        foreach (FioJob job in All)
            if (job.Name == name) return job;
        throw new KeyNotFoundException(name);
    }
}

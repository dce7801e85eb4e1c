using System;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Tests.Simulation.Engines;

/// <summary>What a seed decides for <c>writeboost</c>.</summary>
public sealed class WriteboostConfig(ulong seed) : SimConfig(seed)
{
    private Prng _tuning = new(seed + 2);
    private Prng _keeping = new(seed + 6);

    public string Layout { get; set; } = "native";
    public override bool Discards => Layout == "native";
    public int SegmentBytes { get; set; } = 128 << 10;
    public int RamSegments { get; set; }
    public long SyncIntervalUs { get; set; } = 1_000_000;
    public int HighWatermark { get; set; } = 70;
    public int WritebackThreshold { get; set; } = 70;
    public long LatencyTargetUs { get; set; }
    public long KeepIntervalUs { get; set; } = 1_000_000;
    public int MaxBatchedWriteback { get; set; } = 4;
    public int RangeBudget { get; set; } = 64;
    public bool VerifyReads { get; set; }
    public int ReadCacheThreshold { get; set; }
    public long ScrubIntervalUs { get; set; }

    /// <summary>Some lives let writes go round the log: those survive each for itself.</summary>
    public bool GoesAround { get; set; }

    public bool WriteAround { get; set; }
    public int BypassSequentialWrites { get; set; }
    public long IdleUs { get; set; } = 200_000;

    /// <summary>The user says that the devices are the right ones, at the next opening.</summary>
    public bool Rebind { get; set; }

    /// <summary>What serves the backing device once the cache is lost.</summary>
    public Func<Device, IVolume>? Fallback { get; init; }

    public override bool AlignsWrites => GoesAround;

    public override bool DevicesComeAndGo => Layout == "native";

    public override void Retune()
    {
        RamSegments = _tuning.Between(2, SegmentBytes > 1 << 20 ? 4 : 8);
        Queues = _tuning.Below(10) switch { < 7 => 1, < 9 => 2, _ => 3 };
        IdleUs = _tuning.Chance(50) ? 200_000 : _tuning.Between(100, 20_000);
        SyncIntervalUs = _tuning.Below(10) switch
        {
            0 => 0,
            < 5 => _tuning.Between(1_000, 300_000),
            _ => 1_000_000,
        };
        HighWatermark = _tuning.Chance(30) ? 0 : _tuning.Between(10, 90);
        WritebackThreshold = _tuning.Chance(70) ? 100 : _tuning.Between(0, 99);
        LatencyTargetUs = _tuning.Chance(70) ? 0 : _tuning.Between(10, 5_000);
        MaxBatchedWriteback = _tuning.Between(1, 8);
        RangeBudget = _tuning.Chance(50) ? 64 : _tuning.Between(4, 16);
        VerifyReads = Rot || RotsServed || !_tuning.Chance(20);
        WriteAround = GoesAround && _tuning.Chance(40);
        BypassSequentialWrites = GoesAround && _tuning.Chance(50) ? _tuning.Between(1, 20) : 0;
        ScrubIntervalUs = _tuning.Chance(70) ? 0 : _tuning.Between(1, 3_000_000);
        KeepIntervalUs = _keeping.Chance(50) ? 0 : 1_000_000;
        ReadCacheThreshold = _tuning.Chance(30) ? 0 : _tuning.Chance(50) ? 127 : _tuning.Between(1, 40);
    }

    /// <summary>Segments large enough for several full records now and then; most are as small as can be.</summary>
    protected override void DrawSizes(ref Prng random)
    {
        int pick = random.Below(100);
        if (pick < 85) return;
        SegmentBytes = pick < 94 ? 256 << 10 : 2 << 20;
        if (SegmentBytes == 2 << 20) CacheBytes = (9 << 20) + random.Below(2 << 20) / 4096 * 4096L;
        else CacheBytes += 1 << 20;
    }

    protected override void DrawRest()
    {
        DrawLayout();
        if (Layout == "native" && SegmentBytes <= 256 << 10) DrawGrowth(SegmentBytes);
        // Rot is found by headers that follow it: the writes that make those must be logged.
        GoesAround = !Echoes && !Rot && _tuning.Chance(20);
        // What goes round the log is flushed device by device; the history has one row and one flush.
        if (Layout is "native" or "lc1" && !GoesAround && !Echoes) DrawDisks();
    }

    private void DrawLayout()
    {
        string? layout = Environment.GetEnvironmentVariable("WEIR_LAYOUT");
        if (string.IsNullOrEmpty(layout))
            layout = new Prng(Seed + 3).Below(100) switch
            {
                < 82 => "native",
                < 88 => "writeboost2",
                < 94 => "writeboost1",
                _ => "lc1",
            };
        if (layout == "native") return;
        Layout = layout;
        SegmentBytes = layout == "writeboost2" ? 512 << 10 : 1 << 20;
        (Rot, RotsServed) = (false, Rot);
        CacheBytes = (1 << 20) + (SegmentBytes * (4L + (CacheBytes >> 12) % 5)) + (CacheBytes % 65536 / 4096 * 4096);
    }
}

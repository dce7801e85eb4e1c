using System;
using System.Buffers.Binary;
using Weir.Core.Base;

namespace Weir.Tests.Simulation;

/// <summary>Everything a seed decides once.</summary>
public sealed class SimConfig
{
    private Prng _ids;
    private Prng _tuning;
    private Prng _growth;
    private Prng _presence;
    private Prng _keeping;

    /// <summary>The seed.</summary>
    public ulong Seed { get; init; }

    /// <summary>Of all backing devices together.</summary>
    public long BackingBytes { get; set; }

    /// <summary>Backing devices.</summary>
    public int Disks { get; set; } = 1;

    /// <summary>The user says that the devices are the right ones, at the next opening.</summary>
    public bool Rebind { get; set; }

    public long CacheBytes { get; set; }

    /// <summary>What the cache device gains on the way.</summary>
    public long GrowthBytes { get; set; }

    public int SegmentBytes { get; set; } = 128 << 10;
    public string Layout { get; set; } = "native";
    public bool Discards => Layout == "native";
    public int RamSegments { get; set; }
    public int BackingBlockBytes { get; set; } = 512;
    public int CacheBlockBytes { get; set; } = 512;
    public bool RamOutlivesProcess { get; set; } = true;
    public bool Faults { get; set; }
    public bool Rot { get; set; }

    /// <summary>In the layouts of the kernel: something rots while it is served.</summary>
    public bool RotsServed { get; set; }

    /// <summary>Every life begins with the same requests.</summary>
    public bool Echoes { get; set; }

    /// <summary>Most lives end in their first moments: recovery cut short, again and again.</summary>
    public bool Fragile { get; set; }

    public bool TaggedBacking { get; set; }
    public int Lives { get; set; }
    public int Queues { get; set; } = 1;
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

    /// <summary>Ids and secrets: random, and the same in every replay.</summary>
    public Guid NewGuid()
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, _ids.Next());
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], _ids.Next());
        return new Guid(bytes);
    }

    /// <summary>Draws a configuration.</summary>
    public static SimConfig Draw(ulong seed, ISimEngine engine, ref Prng random)
    {
        var c = new SimConfig { Seed = seed, _ids = new Prng(seed + 1), _tuning = new Prng(seed + 2) };
        c._keeping = new Prng(seed + 6);
        bool large = random.Chance(10);
        c.BackingBytes = (long)random.Between(1, large ? 7 : 2) << 20;
        c.BackingBytes += random.Below(200) * 4096L;
        c.CacheBytes = (3L << 19) + random.Below(large ? 4 << 20 : 1 << 20) / 4096 * 4096L;
        if (random.Chance(20)) c.BackingBlockBytes = 4096;
        if (random.Chance(20)) c.CacheBlockBytes = 4096;
        if (c.BackingBlockBytes == 512 && random.Chance(50)) c.BackingBytes += random.Below(8) * 512L;
        c.DrawSegments(ref random);
        c.RamOutlivesProcess = !random.Chance(10);
        c.TaggedBacking = random.Chance(50);
        c.Lives = random.Between(2, 6);
        c.Faults = engine.WithstandsFaults && random.Chance(15);
        c.Rot = engine.WithstandsFaults && !c.Faults && random.Chance(12);
        c.Echoes = random.Chance(10);
        c.Fragile = !c.Echoes && random.Chance(15);
        c.Lives += c.Echoes ? 3 : c.Fragile ? 8 : 0;
        c.DrawLayout();
        c.DrawGrowth();
        // Rot is found by headers that follow it: the writes that make those must be logged.
        c.GoesAround = !c.Echoes && !c.Rot && c._tuning.Chance(20);
        c.DrawDisks();
        engine.Configure(c, ref random);
        c.Retune();
        return c;
    }

    /// <summary>The user grows the cache device now.</summary>
    public bool Grows() => GrowthBytes > 0 && _growth.Chance(3);

    /// <summary>Draws what a user may change from one start to the next.</summary>
    public void Retune()
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

    /// <summary>Which of several devices is absent in the life that begins; -1: none.</summary>
    public int Absent() => Disks > 1 && _presence.Chance(35) ? _presence.Below(Disks) : -1;

    /// <summary>The user takes a device away now, or gives one back.</summary>
    public bool ChangesDevices() => Disks > 1 && Layout == "native" && !Rot && _presence.Chance(2);

    // What goes round the log is flushed device by device; the history has one row and one flush.
    private void DrawDisks()
    {
        _presence = new Prng(Seed + 5);
        bool several = Layout is "native" or "lc1" && !GoesAround && !Echoes && _presence.Chance(30);
        if (several) Disks = _presence.Between(2, 3);
    }

    private void DrawGrowth()
    {
        _growth = new Prng(Seed + 4);
        bool grows = Layout == "native" && SegmentBytes <= 256 << 10 && _growth.Chance(15);
        if (grows) GrowthBytes = (long)_growth.Between(1, 8) * SegmentBytes + _growth.Below(2) * 4096L;
    }

    /// <summary>Segments large enough for several full records now and then; most are as small as can be.</summary>
    private void DrawSegments(ref Prng random)
    {
        int pick = random.Below(100);
        if (pick < 85) return;
        SegmentBytes = pick < 94 ? 256 << 10 : 2 << 20;
        if (SegmentBytes == 2 << 20) CacheBytes = (9 << 20) + random.Below(2 << 20) / 4096 * 4096L;
        else CacheBytes += 1 << 20;
    }
}

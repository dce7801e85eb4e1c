using Weir.Core.Base;
using Weir.Core.DmCache.Policies;
using Weir.Core.Volumes;

namespace Weir.Tests.Simulation.Engines;

/// <summary>What a seed decides for <c>dmcache</c>: few small blocks, so that everything moves all the time.</summary>
public sealed class DmCacheConfig(ulong seed) : SimConfig(seed)
{
    private Prng _form = new(seed + 6);
    private Prng _tuning = new(seed + 2);
    private Prng _orders = new(seed + 7);
    private int _orderPercent;
    private Prng _marks = new(seed + 8);
    private Prng _held = new(seed + 9);
    private Prng _places = new(seed + 10);
    private Prng _room = new(seed + 12);
    private int _suspendPercent;
    private int _invalidatePercent;

    public int Version { get; set; }

    /// <summary>A multiple of 32 KiB, a power of two or not.</summary>
    public long BlockSize { get; set; }

    /// <summary>The metadata lie at the head of the cache device.</summary>
    public bool IsCachevol { get; set; }

    public CacheMode Mode { get; set; }

    public string Policy { get; set; } = "";

    public long IdleUs { get; set; }

    public int HighWatermark { get; set; }

    public bool DiscardPassdown { get; set; }

    public long MigrationThreshold { get; set; }

    /// <summary>The user asks for another mode now.</summary>
    public CacheMode? Order() =>
        _orders.Below(100) < _orderPercent ? (CacheMode)_orders.Below((int)CacheMode.Passthrough + 1) : null;

    /// <summary>The user asks for another policy now.</summary>
    public string? OrderPolicy() =>
        _orders.Below(100) < _orderPercent ? PolicyTable.All[_orders.Below(PolicyTable.All.Length)].Name : null;

    /// <summary>The user takes out what some places hold now: a range of a cache of so many.</summary>
    public string? OrderInvalidate(long places)
    {
        if (_places.Below(100) >= _invalidatePercent) return null;
        long begin = _places.Below(places);
        return $"{begin}-{begin + 1 + _places.Below(places - begin)}";
    }

    /// <inheritdoc/>
    public override bool Suspends() => _held.Below(100) < _suspendPercent;

    /// <summary>The devices have gained room while nobody served them.</summary>
    public bool GrowsUnserved() => GrowthBytes + BackingGrowthBytes > 0 && _room.Chance(10);

    public long UnmarkUs { get; private set; }

    public override void Retune()
    {
        Queues = _tuning.Below(10) switch { < 4 => 1, < 8 => 2, _ => 3 };
        Mode = _tuning.Below(10) switch
        {
            < 5 => CacheMode.Writeback,
            < 8 => CacheMode.Writethrough,
            _ => CacheMode.Passthrough,
        };
        if (LosesFlushes && Mode == CacheMode.Passthrough) Mode = CacheMode.Writeback;
        int policies = PolicyTable.All.Length;
        Policy = PolicyTable.All[_tuning.Below(policies)].Name;
        if (_tuning.Chance(50)) Policy = "lru";
        IdleUs = _tuning.Chance(50) ? 0 : 50_000;
        HighWatermark = _tuning.Chance(50) ? 0 : 30;
        DiscardPassdown = !_tuning.Chance(30);
        MigrationThreshold = _tuning.Chance(30) ? 256 : 204_800;
        UnmarkUs = _marks.Below(4) switch { 0 => 0, 1 => 50_000, _ => 200 };
    }

    protected override void DrawRest()
    {
        // One seed in eight may have sectors of 4 KiB.
        if (Seed % 8 != 7) CacheBlockBytes = BackingBlockBytes = 512;
        Version = _form.Chance(40) ? 1 : 2;
        BlockSize = _form.Below(4) switch { 0 => 96 << 10, 1 => 64 << 10, _ => 32 << 10 };
        IsCachevol = _form.Chance(30);
        _orderPercent = _orders.Below(4) switch { 0 => 10, 1 => 2, _ => 0 };
        _suspendPercent = _held.Below(8) switch { 0 => 8, 1 => 2, _ => 0 };
        _invalidatePercent = _places.Below(8) switch { 0 => 10, 1 => 3, _ => 0 };
        LosesFlushes = !Echoes && new Prng(Seed + 11).Chance(12);
        int places = _form.Between(2, 24);
        CacheBytes = places * BlockSize + _form.Below(2) * 4096L;
        DrawGrowth(BlockSize);
        if (_room.Chance(15)) BackingGrowthBytes = _room.Between(1, 100) * 4096L;
        if (BackingGrowthBytes > 0 && BackingBlockBytes == 512) BackingGrowthBytes += _room.Below(8) * 512L;
        MetadataBytes = 1 << 20;
        if (!IsCachevol) return;
        MetadataBytes = 0;
        CacheBytes += 5 << 20;
    }
}

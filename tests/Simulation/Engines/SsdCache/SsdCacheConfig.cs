using Weir.Core.Base;
using Weir.Core.SsdCache.Sets;
using Weir.Core.Volumes;

namespace Weir.Tests.Simulation.Engines;

/// <summary>What a seed decides for <c>ssdcache</c>: few sets of small blocks, so that everything moves all the time.
/// </summary>
public sealed class SsdCacheConfig(ulong seed) : SimConfig(seed)
{
    private static readonly CacheMode[] s_modes = [CacheMode.Writeback, CacheMode.Writethrough, CacheMode.Readcache];

    private Prng _form = new(seed + 6);
    private Prng _tuning = new(seed + 2);
    private Prng _orders = new(seed + 7);
    private int _orderPercent;

    /// <summary>Bytes of a block.</summary>
    public int BlockBytes { get; set; } = 4096;

    /// <summary>Further sets.</summary>
    public int Assoc { get; set; }

    /// <summary>What a life begins with.</summary>
    public CacheMode Mode { get; set; } = CacheMode.Writeback;

    public long IdleUs { get; set; }

    public int HighWatermark { get; set; }

    public long CloseUs { get; set; }

    internal Strategy Strategy { get; set; }

    internal AdmitRule Admit { get; set; }

    public bool AsyncLookup { get; set; }

    public bool QueueBusy { get; set; }

    public bool SkipWriteInsert { get; set; }

    public bool EvictOnWrite { get; set; }

    /// <summary>The user asks for another mode now.</summary>
    public CacheMode? Order() => _orders.Below(100) < _orderPercent ? s_modes[_orders.Below(s_modes.Length)] : null;

    public override void Retune()
    {
        Queues = _tuning.Below(10) switch { < 4 => 1, < 8 => 2, _ => 3 };
        Mode = s_modes[_tuning.Below(10) switch { < 6 => 0, < 8 => 1, _ => 2 }];
        IdleUs = _tuning.Chance(50) ? 0 : 50_000;
        HighWatermark = _tuning.Chance(50) ? 0 : 30;
        CloseUs = _tuning.Below(4) switch { 0 => 0, 1 => 50_000, _ => 1 };
        Strategy = (Strategy)_tuning.Below(6);
        Admit = _tuning.Chance(20) ? AdmitRule.SecondRead : AdmitRule.Always;
        AsyncLookup = _tuning.Chance(30);
        QueueBusy = _tuning.Chance(70);
        SkipWriteInsert = _tuning.Chance(10);
        EvictOnWrite = _tuning.Chance(80);
    }

    protected override void DrawRest()
    {
        if (Seed % 8 != 7) CacheBlockBytes = BackingBlockBytes = 512;
        BlockBytes = _form.Below(4) switch { 0 => 8 << 10, 1 => 32 << 10, _ => 4 << 10 };
        Assoc = _form.Below(3);
        _orderPercent = _orders.Below(4) switch { 0 => 6, 1 => 2, _ => 0 };
        LosesFlushes = !Echoes && new Prng(Seed + 11).Chance(12);
        int sets = _form.Between(1, 4);
        CacheBytes = (64 << 10) + ((long)sets * 16 * BlockBytes) + (_form.Below(2) * 4096L);
    }
}

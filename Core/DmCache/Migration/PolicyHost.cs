using System;
using Weir.Core.Base;
using Weir.Core.DmCache.Places;
using Weir.Core.DmCache.Policies;

namespace Weir.Core.DmCache.Migration;

/// <summary>
/// The policy of a volume, whichever it is. Virtual calls are one for a batch of accesses, or for a block that moves.
/// Everything but <see cref="Info"/> wants the latch of its <see cref="PolicySlot"/>.
/// </summary>
internal abstract class PolicyHost : IDisposable
{
    /// <summary>What the policy is.</summary>
    public abstract PolicyInfo Info { get; }

    /// <summary>Bytes of its memory.</summary>
    public abstract long MemoryBytes { get; }

    /// <summary>As <see cref="IPolicy{TSelf}.Load"/>.</summary>
    public abstract void Load(uint place, long home, uint hint);

    /// <summary>Tells it what a log has, and what is wanted to <paramref name="promotions"/>.</summary>
    public abstract void Tell(
        ReadOnlySpan<AccessRecord> records, PlaceTable table, PromotionQueue promotions, MoveCounters moves);

    /// <summary>As <see cref="IPolicy{TSelf}.Miss"/>.</summary>
    public abstract bool Miss(long home, in Access access);

    /// <summary>As <see cref="IPolicy{TSelf}.ChooseVictim"/>, of those that are clean and at rest.</summary>
    public abstract uint ChooseVictim(PlaceTable table);

    /// <summary>As <see cref="IPolicy{TSelf}.Remove"/>.</summary>
    public abstract void Remove(uint place, bool isEvicted);

    /// <summary>As <see cref="IPolicy{TSelf}.Insert"/>.</summary>
    public abstract void Insert(uint place, long home, in Access access);

    /// <summary>As <see cref="IPolicy{TSelf}.SetDirty"/>.</summary>
    public abstract void SetDirty(uint place, bool isDirty);

    /// <summary>As <see cref="IPolicy{TSelf}.Tick"/>.</summary>
    public abstract void Tick();

    /// <summary>As <see cref="IPolicy{TSelf}.HintOf"/>.</summary>
    public abstract uint HintOf(uint place);

    /// <summary>As <see cref="IPolicy{TSelf}.Report"/>.</summary>
    public abstract void Report(Action<string, long> count);

    /// <summary>As <see cref="IPolicy{TSelf}.Set"/>.</summary>
    public abstract void Set(int setting, long value);

    /// <summary>As <see cref="IPolicy{TSelf}.Get"/>.</summary>
    public abstract long Get(int setting);

    /// <inheritdoc/>
    public abstract void Dispose();
}

/// <summary>The same of one policy: nothing in here is virtual.</summary>
internal sealed class PolicyHost<TPolicy>(in PolicyShape shape) : PolicyHost
    where TPolicy : struct, IPolicy<TPolicy>
{
    private TPolicy _policy = TPolicy.Create(shape);

    /// <inheritdoc/>
    public override PolicyInfo Info => TPolicy.Info;

    /// <inheritdoc/>
    public override long MemoryBytes => _policy.MemoryBytes;

    /// <inheritdoc/>
    public override void Load(uint place, long home, uint hint) => _policy.Load(place, home, hint);

    /// <inheritdoc/>
    public override void Tell(
        ReadOnlySpan<AccessRecord> records, PlaceTable table, PromotionQueue promotions, MoveCounters moves)
    {
        foreach (ref readonly AccessRecord record in records)
        {
            Access access = record.Access;
            if (record.Place != PolicyInfo.NoPlace) Hit(record, access, table);
            else if (access.IsSequential && !access.IsCheap) moves.Count(MoveEvent.LeftSequential);
            else if (!_policy.Miss(record.Home, access)) moves.Count(MoveEvent.LeftUnwanted);
            else if (!promotions.TryAdd(new WantedBlock(record.Home, access))) moves.Count(MoveEvent.LeftCrowded);
        }
    }

    /// <inheritdoc/>
    public override bool Miss(long home, in Access access) => _policy.Miss(home, access);

    /// <inheritdoc/>
    public override uint ChooseVictim(PlaceTable table)
    {
        CleanGate gate = new(table);
        return _policy.ChooseVictim(ref gate);
    }

    /// <inheritdoc/>
    public override void Remove(uint place, bool isEvicted) => _policy.Remove(place, isEvicted);

    /// <inheritdoc/>
    public override void Insert(uint place, long home, in Access access) => _policy.Insert(place, home, access);

    /// <inheritdoc/>
    public override void SetDirty(uint place, bool isDirty) => _policy.SetDirty(place, isDirty);

    /// <inheritdoc/>
    public override void Tick() => _policy.Tick();

    /// <inheritdoc/>
    public override uint HintOf(uint place) => _policy.HintOf(place);

    /// <inheritdoc/>
    public override void Report(Action<string, long> count) => _policy.Report(count);

    /// <inheritdoc/>
    public override void Set(int setting, long value) => _policy.Set(setting, value);

    /// <inheritdoc/>
    public override long Get(int setting) => _policy.Get(setting);

    /// <inheritdoc/>
    public override void Dispose() => _policy.Dispose();

    // The block may have left the place since, and another may have come.
    private void Hit(in AccessRecord record, in Access access, PlaceTable table)
    {
        PlaceState state = table.StateOf(record.Place);
        if ((state & PlaceState.Mapped) == 0 || table.HomeOf(record.Place) != record.Home) return;
        _policy.Hit(record.Place, access);
        if (access.IsWrite && (state & PlaceState.Dirty) != 0) _policy.SetDirty(record.Place, isDirty: true);
    }

    private readonly struct CleanGate(PlaceTable table) : IVictimGate
    {
        public bool MayGo(uint place)
        {
            PlaceState kept = PlaceState.Kept;
            if (Mutant.Is(DmCacheMutant.B4DirtyDemoted)) kept = 0;
            return (table.StateOf(place) & (PlaceState.Mapped | kept)) == PlaceState.Mapped;
        }
    }
}

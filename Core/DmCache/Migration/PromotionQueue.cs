using System.Threading;
using Weir.Core.Base;
using Weir.Core.DmCache.Policies;

namespace Weir.Core.DmCache.Migration;

/// <summary>A block that is to be brought in.</summary>
internal readonly record struct WantedBlock(long Home, Access Access);

/// <summary>
/// Blocks that the policy wants, until the promoter has time for them: a ring. Added to by any queue, under the latch;
/// taken from by the promoter. What does not fit is left out: it will be met again, if it is worth anything.
/// </summary>
internal sealed class PromotionQueue
{
    private const int Capacity = 256, RecentCount = 256;

    private readonly WantedBlock[] _ring = new WantedBlock[Capacity];
    // Homes + 1 that wait, by their number modulo: a block that is met ten times is wanted once.
    private readonly long[] _waiting = new long[RecentCount];
    private SpinLatch _latch;
    private int _first;
    private int _count;

    /// <summary>How many wait; any thread.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>False: there is no room.</summary>
    public bool TryAdd(in WantedBlock promotion)
    {
        _latch.Enter();
        ref long waiting = ref _waiting[promotion.Home & (RecentCount - 1)];
        bool isNew = waiting != promotion.Home + 1;
        bool fits = _count < Capacity;
        if (isNew && fits)
        {
            _ring[(_first + _count) & (Capacity - 1)] = promotion;
            waiting = promotion.Home + 1;
            Volatile.Write(ref _count, _count + 1);
        }
        _latch.Exit();
        return !isNew || fits;
    }

    /// <summary>The one that has waited longest. False: none does.</summary>
    public bool TryTake(out WantedBlock promotion)
    {
        promotion = default;
        if (Count == 0) return false;
        _latch.Enter();
        promotion = _ring[_first];
        _first = (_first + 1) & (Capacity - 1);
        Volatile.Write(ref _count, _count - 1);
        ref long waiting = ref _waiting[promotion.Home & (RecentCount - 1)];
        if (waiting == promotion.Home + 1) waiting = 0;
        _latch.Exit();
        return true;
    }

    /// <summary>All are forgotten.</summary>
    public void Clear()
    {
        while (TryTake(out _))
        {
        }
    }
}

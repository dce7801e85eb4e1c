using System;
using System.Collections.Concurrent;
using Weir.Core.DmCache.Commit;
using Weir.Core.Volumes;

namespace Weir.Core.DmCache.Migration;

/// <summary>
/// Carries out orders to take blocks out, on the first queue's thread, one order at a time and a few places a turn. The
/// kernel takes them in passthrough mode alone, where nothing is dirty; here what is dirty stays, and is named.
/// </summary>
internal sealed class Invalidator(MigrationParts parts, ConcurrentQueue<InvalidateOrder> orders)
    : IBackgroundTask, IDisposable
{
    private const int PlacesPerTurn = 256;

    /// <summary>A place where somebody is at work is looked at again after this.</summary>
    private const long BusyUs = 1000;

    private readonly BlockTaker _taker = new(parts.Residency);
    private InvalidateOrder? _order;
    private long _againUs;
    private long _ticket;

    /// <inheritdoc/>
    public long DeadlineUs => _order == null ? orders.IsEmpty ? long.MaxValue : 0
        : _ticket != 0 || parts.Mode.IsHeld ? long.MaxValue : _againUs;

    private ChangeList Changes => parts.Residency.Changes;

    /// <inheritdoc/>
    public void Poll(long nowUs, BackgroundState state)
    {
        if (_order == null && !orders.TryDequeue(out _order)) return;
        if (Changes.Failure != null) Finish(Changes.Failure);
        else if (_ticket != 0 && Changes.IsDone(_ticket)) Finish(null);
        else if (_ticket == 0 && !parts.Mode.IsHeld) TakeSome(_order, nowUs);
    }

    /// <inheritdoc/>
    public void Dispose() => _taker.Dispose();

    private void TakeSome(InvalidateOrder order, long nowUs)
    {
        _againUs = nowUs;
        for (int tries = PlacesPerTurn; tries > 0; tries--)
        {
            if (!order.TryPeek(out uint place))
            {
                if (order.HasTaken) _ticket = Changes.Urge();
                else Finish(null);
                return;
            }
            Taking taking = _taker.TryTake(place, isEvicted: false, out _);
            if (taking == Taking.Busy)
            {
                _againUs = nowUs + BusyUs;
                return;
            }
            order.Advance(place, taking);
        }
    }

    private void Finish(string? failure)
    {
        if (failure == null) _order!.End();
        else _order!.Fail(failure);
        (_order, _ticket) = (null, 0);
    }
}

using System;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Errors;

/// <summary>
/// Looks for whoever waits for an order whether that waits for a device that hangs. The cache device is in every order.
/// A backing device may have nothing to do with it: then the order goes on; but not without an end, should write-back
/// stand still as long as the device does. One waiter, any thread.
/// </summary>
internal sealed class HangWatch(
    Hangs hangs, BackingTable backings, WritebackProgress progress, Drains drains, SegmentLog log)
{
    private (long, long, long) _seen;
    private long _sinceMs = Environment.TickCount64;

    /// <summary>What it is that is waited for, in words; null: nothing hangs that
    /// <paramref name="concerns"/> the order.</summary>
    public string? Look(Func<BackingDevice, bool> concerns)
    {
        if (hangs.OfCache is { } cache) return cache;
        bool stands = StandsStill();
        foreach (BackingDevice backing in backings.ToList())
            if (Hangs.Of(backing) is { } hang && (stands || concerns(backing)))
                return hang;
        return null;
    }

    private bool StandsStill()
    {
        (long, long, long) now = (progress.Blocks, drains.BlocksLeft, log.DirtySegment);
        if (now != _seen) (_seen, _sinceMs) = (now, Environment.TickCount64);
        return Environment.TickCount64 - _sinceMs >= hangs.PatienceMs;
    }
}

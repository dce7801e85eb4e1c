using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Bypass;

namespace Weir.Core.Writeboost.Orders;

/// <summary>The order to try again at once what devices have refused, and what comes of it.</summary>
internal sealed class ResumeOrders(
    WritesAround around, RefusingDevices refusals, ServedAlone alone, FlushOrders flushes, VolumeHealth health,
    QueueSet queues)
{
    /// <summary>A try may have begun before the order: only the next one tells.</summary>
    private const int TriesThatTell = 2;

    private readonly VolumeHealth _health = health;
    private readonly WritesAround _around = around;
    private int _isAsked;
    private long _triesEnded;

    /// <summary>
    /// Tries again at once what a device has refused, and what has made the volume read-only; flushes count again that
    /// failed because of writes round the log that may be lost.
    /// </summary>
    public void Resume()
    {
        _health.AskRetry();
        _around.Resume();
        Volatile.Write(ref _isAsked, 1);
        queues.WakeAll();
    }

    /// <summary>As <see cref="Resume"/>; done when nothing is refused any more.</summary>
    /// <exception cref="UserErrorException">It cannot be tried again in this life.</exception>
    public Func<OrderProgress> Begin()
    {
        HealthReport before = _health.Now;
        string? without = alone.Resume();
        if (before.State == VolumeState.Healthy || (without != null && _health.CacheHasFailed))
        {
            Resume();
            string said = without == null
                ? "done, no device refuses anything" : $"done, flushes count again: {without}";
            return () => OrderProgress.DoneWith(said);
        }
        if (_health.CacheHasFailed)
            throw new UserErrorException($"resume: the volume stays {VolumeHealth.NameOf(before.State)} until its next "
                + $"start: {before.Reason}");
        Attempt attempt = new(this, before, Volatile.Read(ref _triesEnded), without);
        Resume();
        return attempt.Look;
    }

    /// <summary>Whether somebody has asked since the last time; the first queue's thread.</summary>
    public bool Take() => Volatile.Read(ref _isAsked) != 0 && Interlocked.Exchange(ref _isAsked, 0) != 0;

    /// <summary>Write-back has tried, as it was told to, and rests again.</summary>
    public void NoteTried() => Interlocked.Increment(ref _triesEnded);

    private bool IsAnyRefusing => refusals.IsAny;

    private void BeginFlushAround() => flushes.BeginAround();

    // One order, on the thread that waits for it.
    private sealed class Attempt(ResumeOrders orders, HealthReport before, long triesBefore, string? without)
    {
        private readonly string _lost =
            (orders._around.HasFailed ? $"; up to {orders._around.Unflushed} may be lost" : "")
            + (without != null ? "; " + without : "");
        private long[] _refusals = orders._health.Refusals();
        private readonly long _triesBefore = triesBefore;
        private long _seen = triesBefore;
        private int _refused;

        public OrderProgress Look()
        {
            OrderProgress open = OrderProgress.UnderWay($"tried again{_lost}");
            long ended = Volatile.Read(ref orders._triesEnded);
            bool isTried = before.State != VolumeState.ReadOnly || ended != _triesBefore;
            orders.BeginFlushAround();
            HealthReport now = orders._health.Now;
            if (isTried && now.State == VolumeState.Healthy)
                return OrderProgress.DoneWith($"done, tried again: the volume is healthy{_lost}");
            if (isTried && !orders._health.TakesWrites)
                return open.Fail($"still {VolumeHealth.NameOf(now.State)}: {now.Reason}");
            if (!orders._health.HasRefusedSince(_refusals))
            {
                // It went well, and there is more.
                if (ended != _seen && orders.IsAnyRefusing) orders.Resume();
                _seen = ended;
                return open;
            }
            if (++_refused == TriesThatTell) return open.Fail($"still refused: {now.Reason}");
            _refusals = orders._health.Refusals();
            orders.Resume();
            return open;
        }
    }
}

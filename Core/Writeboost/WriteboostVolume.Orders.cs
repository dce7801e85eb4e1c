using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Queue;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost;

/// <content>
/// Orders of users. Each begins here, on any thread but the queues', and ends done or failed: what a Begin returns
/// looks which, on any thread. A drain that nobody waits for any more goes on; <see cref="CancelDrain"/> ends it.
/// </content>
public sealed unsafe partial class WriteboostVolume
{
    private long _flushEnd;
    private long _flushAround;
    private long _commitsAsked;
    private long _commitsDone;
    private long _drainsCancelled;
    private long _setbacks;
    private volatile string _setback = "";
    private long _commitsRefused;
    private volatile string _commitRefusal = "";
    private volatile string? _growthFailure;

    /// <summary>Begins to write everything back that is dirty now.</summary>
    /// <exception cref="UserErrorException">It cannot be: nothing is written back.</exception>
    public Func<OrderProgress> BeginDrain()
    {
        CheckWritesBack();
        WritebackOrder order = new(this);
        Health.AskRetry();
        long end = Drain();
        return () => order.Look(IsWrittenBack(end) || HasNoCache);
    }

    /// <summary>Lets go of drains, at once.</summary>
    public Func<OrderProgress> BeginCancelDrain()
    {
        bool any = Volatile.Read(ref _drainEnd) != 0 || IsDropping || IsGrowing;
        CancelDrain();
        string said = any ? "done, write-back goes on at its own pace" : "done, none was under way";
        return () => OrderProgress.DoneWith(said);
    }

    /// <summary>Begins to write everything back, and then to forget all that is cached now.</summary>
    /// <exception cref="UserErrorException">It cannot be: nothing is written back.</exception>
    public Func<OrderProgress> BeginDropCaches()
    {
        CheckWritesBack();
        WritebackOrder order = new(this);
        Health.AskRetry();
        long end = DropCaches();
        return () => order.Look(end <= Geometry.Position(Log.TailSegment, 0) || HasNoCache);
    }

    /// <summary>Begins to make everything durable that has been acknowledged.</summary>
    public Func<OrderProgress> BeginFlush()
    {
        (long end, long around) = (Log.ReservedEnd, Around.Written);
        AtomicMax.Raise(ref _flushAround, around);
        AtomicMax.Raise(ref _flushEnd, end);
        Health.AskRetry();
        Queues.WakeFirst();
        Func<OrderProgress>? alone = null;
        return () =>
        {
            if (HasNoCache) return (alone ??= BeginFallbackFlush())();
            OrderProgress open = OrderProgress.UnderWay("not all that was acknowledged is durable");
            if (Health.CacheHasFailed) return open.Fail(Health.Reason);
            bool isDurable = Log.Durable >= end && Around.Flushed >= around;
            if (Around.IsLost(around)) return open.Fail(Health.Reason);
            return isDurable ? OrderProgress.DoneWith("done, all that was acknowledged is durable") : open;
        };
    }

    // The cache device has failed, and has left nothing that the backing devices do not have.
    private Func<OrderProgress> BeginFallbackFlush()
    {
        long ticket = FallbackFlushes.Ask();
        Queues.WakeFirst();
        return () =>
        {
            OrderProgress open = OrderProgress.UnderWay("the backing devices, which are served without the cache, are "
                + "not flushed");
            if (FallbackFlushes.Done < ticket) return open;
            return FallbackFlushes.Failure is { } failure ? open.Fail(failure) : OrderProgress.DoneWith(
                "done, the cache device has failed, and all that was acknowledged is durable on the backing devices");
        };
    }

    internal FlushTickets FallbackFlushes { get; } = new();

    // What to say of a device, by Request.Device, whose flush has failed with a negative errno.
    internal string DescribeFallbackLoss(int device, int result) => Fallback()[device]?.FlushLoss
        ?? $"backing device {NameOfBacking(device + BackingTable.MinId)}: flush failed: {Errno.Text(result)}";

    /// <summary>Begins to write the superblock, with the mark as it is, and to make it durable.</summary>
    /// <exception cref="UserErrorException">The volume is served read-only.</exception>
    public Func<OrderProgress> BeginCommit()
    {
        if (ReadOnly) throw new UserErrorException("the volume is served read-only: nothing is written");
        long refused = Volatile.Read(ref _commitsRefused);
        Health.AskRetry();
        long ticket = Interlocked.Increment(ref _commitsAsked);
        Queues.WakeFirst();
        return () =>
        {
            if (Volatile.Read(ref _commitsDone) >= ticket)
                return OrderProgress.DoneWith("done, the superblock is durable");
            OrderProgress open = OrderProgress.UnderWay("the superblock is not written");
            if (Volatile.Read(ref _commitsRefused) != refused) return open.Fail(_commitRefusal);
            return Health.CacheHasFailed ? open.Fail(Health.Reason) : open;
        };
    }

    /// <summary>Begins to take the room that devices have gained; see <see cref="Grow"/>.</summary>
    /// <exception cref="UserErrorException">The cache device is larger, and its room cannot be used.</exception>
    public Func<OrderProgress> BeginGrow()
    {
        WritebackOrder order = new(this);
        (_growthFailure, GrowthAwaitsWriteback) = (null, false);
        Health.AskRetry();
        int wanted = Grow();
        string? refusal = _growthRefusal;
        return () =>
        {
            // In this order: who ends a growth has changed the number before.
            bool goesOn = IsGrowing;
            if (Geometry.SegmentCount >= wanted)
                return refusal == null ? OrderProgress.Done : default(OrderProgress).Fail(refusal);
            OrderProgress open =
                OrderProgress.UnderWay($"{Cache.Name} has {Geometry.SegmentCount} segments instead of {wanted}");
            string? why = _growthFailure ?? (GrowthAwaitsWriteback ? order.WhyItFails : null);
            if (goesOn) return why != null ? open.Fail(why) : open;
            return open.Fail(why ?? "called off by cancel_drain");
        };
    }

    /// <summary>
    /// Write-back has been refused for long enough: whoever waits for it is told <paramref name="reason"/>, whether or
    /// not it is tried again later.
    /// </summary>
    internal void NoteSetback(string reason)
    {
        _setback = reason;
        Interlocked.Increment(ref _setbacks);
    }

    /// <summary>The same of a superblock that somebody has asked for, which nobody else waits for.</summary>
    internal void NoteCommitRefused(string reason)
    {
        _commitRefusal = reason;
        Interlocked.Increment(ref _commitsRefused);
    }

    /// <summary>Setbacks of write-back so far.</summary>
    internal long Setbacks => Volatile.Read(ref _setbacks);

    /// <summary>Why the last one was.</summary>
    internal string LastSetback => _setback;

    /// <summary>How often drains were called off.</summary>
    internal long DrainsCancelled => Volatile.Read(ref _drainsCancelled);

    /// <summary>
    /// What an order that has written everything back has had to leave, for people; null: nothing.
    /// </summary>
    internal string? LeftBehind
    {
        get
        {
            string? absent = LeftOfAbsent is { } left ? left + " stay: not given" : null;
            string? lost = LostSentence is { } sentence ? $"{sentence}; {LostAdvice}" : null;
            return absent == null ? lost : lost == null ? absent : $"{absent}; {lost}";
        }
    }

    /// <summary>What the log alone has of devices that are not given, for people; null: nothing.</summary>
    internal string? LeftOfAbsent
    {
        get
        {
            string left = "";
            foreach (BackingDevice device in Backings.Absent)
            {
                (long blocks, int ranges) = (Index.DirtyOf(device.Id), DirtyRangesOf(device.Id));
                if (blocks + ranges == 0) continue;
                left += $"{(left == "" ? "" : "; ")}{Dirty.Count(blocks, ranges)} of device {device.Id}, "
                    + $"'{device.Name}'";
            }
            return left == "" ? null : left;
        }
    }

    // Positions up to which an order wants the log flushed, and how many writes round it.
    internal (long Position, long Around) FlushWanted =>
        (Volatile.Read(ref _flushEnd), Volatile.Read(ref _flushAround));

    internal long CommitsAsked => Volatile.Read(ref _commitsAsked);

    internal long CommitsDone
    {
        get => Volatile.Read(ref _commitsDone);
        set => Volatile.Write(ref _commitsDone, value);
    }

    private void CheckWritesBack()
    {
        if (ReadOnly) throw new UserErrorException("the volume is served read-only: nothing is written back");
    }
}

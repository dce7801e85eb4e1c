using System;
using System.Threading;

namespace Weir.Core.Cleaning;

/// <summary>What write-back leaves to writers, in slots of the log.</summary>
internal struct SpaceBudget
{
    /// <summary>Slots of the whole cache.</summary>
    public long All;
    /// <summary>Slots that can be had without any write-back: free, or clean.</summary>
    public long Free;
    /// <summary>Slots of the batch under way, free when it is finished; 0 for none.</summary>
    public long Batch;
    /// <summary>The part of <see cref="Batch"/> whose work is done.</summary>
    public long Earned;
    /// <summary>Slots of all batches finished so far in this life.</summary>
    public long Finished;
    /// <summary>Slots of a segment.</summary>
    public long Segment;
    /// <summary>Slots of the largest batch that this cache should work on while writers come.</summary>
    public long LargestBatch;
    /// <summary>Write-back is refused and waits: there is no pace to go at.</summary>
    public bool IsHeldUp;
}

/// <summary>
/// Slows writers down to the pace of write-back while free segments are short, so that a full cache does not stall
/// them. It counts slots, not time: what write-back does is handed on to writers at once, more than that while there is
/// much room, less while there is little; so they settle at the rate at which the backing device takes blocks.
/// </summary>
/// <remarks>
/// Protocol. <c>_limit</c> is written by the first queue's thread alone. While it is <see cref="Open"/>, a writer reads
/// it and goes. Else a writer takes a ticket, how many slots were asked for before it, by one atomic add to
/// <c>_taken</c>, and goes when the ticket does not exceed the limit: first come, first served over all queues. It
/// looks at the limit after the add, the other side looks at <c>_taken</c> after it has raised the limit, both with a
/// full fence: nobody waits unseen.
/// </remarks>
internal sealed class WriteThrottle
{
    private const long Open = long.MaxValue;

    /// <summary>Slots that may be saved up: a client that comes in fits and starts needs no more.</summary>
    private const int Burst = 64;

    /// <summary>Segments beyond the batch under way that keep writers going while it is flushed and marked.</summary>
    private const int SpareSegments = 2;

    private const double MostGain = 64, LeastGain = 0.5;

    private long _limit = Open;
    private long _taken;
    private long _earned;
    private double _credit;

    /// <summary>Free segments are short: writers go at the pace of write-back.</summary>
    public bool IsPacing => Volatile.Read(ref _limit) != Open;

    /// <summary>A writer waits for its turn.</summary>
    public bool IsHolding => Volatile.Read(ref _taken) > Volatile.Read(ref _limit);

    /// <summary>
    /// May the writer take <paramref name="slots"/> slots now? <paramref name="ticket"/> is 0 at first, and the writer
    /// keeps it from try to try until it has its slots. From any queue's thread.
    /// </summary>
    public bool TryAdmit(ref long ticket, int slots)
    {
        if (Volatile.Read(ref _limit) == Open) return true;
        if (ticket == 0) ticket = Interlocked.Add(ref _taken, slots) - slots + 1;
        return ticket <= Volatile.Read(ref _limit);
    }

    /// <summary>
    /// Looks at the room and moves the limit. True: somebody who waits may go now, wake the queues. On the first
    /// queue's thread, once per turn.
    /// </summary>
    public bool Update(in SpaceBudget space)
    {
        long earned = space.Finished + space.Earned;
        long news = Math.Max(0, earned - _earned);
        _earned = Math.Max(_earned, earned);
        long limit = Volatile.Read(ref _limit);
        long before = limit;
        // Without write-back, what there is may be used up; the log's end stops them then.
        if (space.IsHeldUp || space.Free + space.Earned >= OpenAt(space))
        {
            _credit = 0;
            limit = Open;
        }
        else
        {
            long taken = Volatile.Read(ref _taken);
            if (limit == Open) limit = taken + Burst;
            _credit += news * Gain(space);
            long whole = (long)_credit;
            _credit -= whole;
            limit = Math.Max(limit, Math.Min(limit + whole, taken + Burst));
        }
        if (limit == before) return false;
        Interlocked.Exchange(ref _limit, limit);
        return Volatile.Read(ref _taken) > before;
    }

    /// <summary>
    /// Writers are held back while there is less room than this: two of the largest batches and some segments to spare,
    /// but at most half the cache.
    /// </summary>
    public static long OpenAt(in SpaceBudget space) =>
        Math.Min(2 * (space.LargestBatch + (SpareSegments * space.Segment)), space.All / 2);

    // Slots handed out for one slot earned. One at half the room where pacing begins, so that it settles there; never
    // more than what spreads the free slots over the work left in the batch.
    private static double Gain(in SpaceBudget space)
    {
        double openAt = OpenAt(space);
        double settled = openAt / 2;
        double now = space.Free + space.Earned;
        double gain = now < settled
            ? Math.Max(LeastGain, now / settled)
            : Math.Min(MostGain, (openAt - settled) / Math.Max(1, openAt - now));
        double left = space.Batch - space.Earned;
        return left <= 0 ? gain : Math.Min(gain, space.Free / left);
    }
}

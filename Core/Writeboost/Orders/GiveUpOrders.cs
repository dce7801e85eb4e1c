using System;
using System.Collections.Generic;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Errors;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Settings;

namespace Weir.Core.Writeboost.Orders;

/// <summary>The one order that gives up blocks that cannot be saved (R11).</summary>
/// <remarks>
/// One at a time. Whoever waits posts it, the first queue's thread takes notice, logs that, and ends it. One that comes
/// when nobody takes any more is refused by one of the two sides: each writes its word, then reads the other's.
/// </remarks>
internal sealed class GiveUpOrders(
    LostData lost, SegmentLog log, BackingTable backings, Drains drains, QueueSet queues, Device cache,
    WriteboostOptions options)
{
    /// <summary>Lines of the log that one life may take.</summary>
    private const int GivenUpLines = 100;

    /// <summary>How often whoever waits asks whether it is still wanted, in milliseconds.</summary>
    private const int TurnMs = 50;

    private readonly Lock _one = new();
    private GiveUpOrder? _order;
    private bool _hasEnded;
    private long _blocksGivenUp;

    /// <summary>Blocks given up in this life.</summary>
    public long BlocksGivenUp => Volatile.Read(ref _blocksGivenUp);

    /// <summary>The order that waits, or null; the first queue's thread.</summary>
    public GiveUpOrder? Order => Volatile.Read(ref _order);

    /// <summary>
    /// Gives up what is lost of a range (NAME:OFFSET+LENGTH, in bytes) or everywhere ("all"): it reads what the backing
    /// device has, from now on and after any restart. Waits; not on a queue's thread. What to say about it.
    /// </summary>
    /// <exception cref="UserErrorException">Nothing there is lost, or the layout or the cache device cannot say so, or
    /// it was called off.</exception>
    public string GiveUp(string text, IOrderWaiter waiter)
    {
        Check();
        lock (_one)
        {
            long blocks = 0;
            List<LostVersion> found = lost.Select(text);
            if (found.Count == 0) throw new UserErrorException(NothingLost(text));
            string named = lost.Describe(found);
            // What write-back has moved meanwhile lies elsewhere in the log: looked for again.
            for (; found.Count > 0; found = lost.Select(text))
            {
                using GiveUpOrder order = new(found);
                Post(order);
                try
                {
                    order.Wait(() => waiter.GivesUp != null, TurnMs);
                }
                finally
                {
                    Interlocked.CompareExchange(ref _order, null, order);
                }
                blocks += order.GivenUp;
                LetGoOf(found);
            }
            return $"gave up {LostRange.Count(blocks)}, read from the backing device from now on: {named}\n";
        }
    }

    /// <exception cref="UserErrorException">The volume is served read-only.</exception>
    public void Check()
    {
        if (options.ReadOnly) throw new UserErrorException("the volume is served read-only: nothing is given up");
    }

    /// <summary>Whoever posts it waits for its end before he posts another.</summary>
    public void Post(GiveUpOrder order)
    {
        Interlocked.Exchange(ref _order, order);
        if (Volatile.Read(ref _hasEnded)) Refuse();
        else queues.WakeFirst();
    }

    /// <summary>The order is carried out, or <paramref name="error"/> says why not; the first queue's thread.</summary>
    public void End(GiveUpOrder order, UserErrorException? error)
    {
        Interlocked.CompareExchange(ref _order, null, order);
        order.Finish(error);
    }

    /// <summary>The volume stops: none is taken any more.</summary>
    public void EndAll()
    {
        Volatile.Write(ref _hasEnded, true);
        Interlocked.MemoryBarrier();
        Refuse();
    }

    /// <summary>
    /// A line for each block, so that what was lost can be read later; the first ones of very many. First queue's
    /// thread.
    /// </summary>
    public void NoteGivenUp(in LostVersion version)
    {
        if (++_blocksGivenUp > GivenUpLines) return;
        string more = _blocksGivenUp == GivenUpLines ? "; further ones are not logged" : "";
        options.Log($"{cache.Name}: block {BackingTable.OffsetOf(version.Key) >> Geometry.BlockShift} of "
            + $"{backings.NameOf(version.Key)} was given up: it reads what the backing device has{more}");
    }

    private void Refuse()
    {
        if (Volatile.Read(ref _order) is { } order) End(order, new UserErrorException("give_up: the volume stops"));
    }

    // One checksum or seal covers a segment, and it is wrong until write-back has passed it: a start would be refused.
    private void LetGoOf(List<LostVersion> versions)
    {
        if (options.Layout.HasRanges) return;
        long last = 0;
        foreach (LostVersion version in versions) last = Math.Max(last, log.Geometry.SegmentOf(version.Position));
        drains.BeginTo(log.Geometry.Position(last + 1, 0));
    }

    private string NothingLost(string text)
    {
        string found = lost.Sentence() is { } sentence ? $"; of the others, {sentence}" : "";
        return $"give_up {text}: nothing there is lost{found}";
    }
}

using System;
using System.Collections.Generic;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Errors;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost;

/// <content>Blocks that cannot be saved: who must hear of them, and the one order that gives them up (R11).</content>
public sealed unsafe partial class WriteboostVolume
{
    /// <summary>Lines of the log that one order may take.</summary>
    private const int GivenUpLines = 100;

    private readonly Lock _givingUp = new();
    private GiveUpOrder? _giveUpOrder;
    private long _lostSegment;
    private long _blocksGivenUp;

    /// <summary>Blocks that only the cache had and that are rotten there; parts of one count each.</summary>
    public long LostBlockCount => Index.RottenCount;

    /// <summary>Names them in a sentence, as far as a line goes; null when there are none. Control path.</summary>
    public string? LostSentence => LostBlocks.Sentence(this);

    /// <summary>
    /// The segment that write-back waits at because something in it is lost, in a layout that cannot move that on; 0:
    /// it does not wait. The first queue's thread says so.
    /// </summary>
    internal long LostSegment
    {
        get => Volatile.Read(ref _lostSegment);
        set => Volatile.Write(ref _lostSegment, value);
    }

    /// <summary>Why it waits there, in a sentence; null: it does not, or need not any more. Any thread.</summary>
    internal string? LostHold
    {
        get
        {
            long segment = LostSegment;
            List<LostVersion> lost = segment == 0 ? [] : LostBlocks.FindIn(this, segment);
            if (lost.Count == 0) return null;
            const string end = "; mend it before you stop: the segment's checksum is wrong, and the next start "
                + "cannot tell which block has made it so";
            return $"cache device {Cache.Name}: {LostBlocks.CountBlocks(lost)} in segment {segment} lost, rotten or "
                + $"unreadable there and nowhere else: {LostBlocks.Describe(this, lost)}; layout {Layout.Name} has no "
                + $"entry for that, so write-back waits there: {LostAdvice}{end}";
        }
    }

    /// <summary>How a user goes on, for the end of such a sentence.</summary>
    public const string LostAdvice = "overwrite them, or give them up: 'weir message give_up NAME:OFFSET+LENGTH', "
        + "or 'give_up all'";

    /// <summary>
    /// Gives up what is lost of a range (NAME:OFFSET+LENGTH, in bytes) or everywhere ("all"): it reads what the backing
    /// device has, from now on and after any restart. Waits; not on a queue's thread. What to say about it.
    /// </summary>
    /// <exception cref="UserErrorException">Nothing there is lost, or the layout or the cache device cannot say so, or
    /// it was called off.</exception>
    public string GiveUp(string text, IOrderWaiter waiter)
    {
        CheckGiveUp();
        lock (_givingUp)
        {
            long blocks = 0;
            List<LostVersion> lost = LostBlocks.Select(this, text);
            if (lost.Count == 0) throw new UserErrorException(NothingLost(text));
            string named = LostBlocks.Describe(this, lost);
            // What write-back has moved meanwhile lies elsewhere in the log: looked for again.
            for (; lost.Count > 0; lost = LostBlocks.Select(this, text))
            {
                using GiveUpOrder order = new(lost);
                Post(order);
                try
                {
                    order.Wait(() => waiter.GivesUp != null, OrderTurnMs);
                }
                finally
                {
                    Interlocked.CompareExchange(ref _giveUpOrder, null, order);
                }
                blocks += order.GivenUp;
                LetGoOf(lost);
            }
            return $"gave up {LostBlocks.Count(blocks)}, read from the backing device from now on: {named}\n";
        }
    }

    // One checksum or seal covers a segment, and it is wrong until write-back has passed it: a start would be refused.
    private void LetGoOf(List<LostVersion> lost)
    {
        if (Layout.HasRanges) return;
        long last = 0;
        foreach (LostVersion version in lost) last = Math.Max(last, Geometry.SegmentOf(version.Position));
        AtomicMax.Raise(ref _drainEnd, Geometry.Position(last + 1, 0));
        Queues.WakeAll();
    }

    internal void CheckGiveUp()
    {
        if (ReadOnly) throw new UserErrorException("the volume is served read-only: nothing is given up");
    }

    internal void Post(GiveUpOrder order)
    {
        Interlocked.Exchange(ref _giveUpOrder, order);
        if (Volatile.Read(ref _deviceOrdersEnded)) RefuseGiveUp();
        else Queues.WakeFirst();
    }

    // As with the orders about devices: one that comes when nobody takes any more is refused by one of the two sides.
    private void RefuseGiveUp()
    {
        if (Volatile.Read(ref _giveUpOrder) is { } order)
            EndGiveUp(order, new UserErrorException("give_up: the volume stops"));
    }

    /// <summary>The order that waits, or null; the first queue's thread.</summary>
    internal GiveUpOrder? GiveUpOrder => Volatile.Read(ref _giveUpOrder);

    internal void EndGiveUp(GiveUpOrder order, UserErrorException? error)
    {
        Interlocked.CompareExchange(ref _giveUpOrder, null, order);
        order.Finish(error);
    }

    // A line for each, so that what was lost can be read later; the first ones of very many.
    internal void NoteGivenUp(in LostVersion version)
    {
        if (++_blocksGivenUp > GivenUpLines) return;
        string more = _blocksGivenUp == GivenUpLines ? "; further ones are not logged" : "";
        Options.Log($"{Cache.Name}: block {BackingTable.OffsetOf(version.Key) >> Geometry.BlockShift} of "
            + $"{NameOfDevice(version.Key)} was given up: it reads what the backing device has{more}");
    }

    private string NothingLost(string text)
    {
        string found = LostSentence is { } lost ? $"; of the others, {lost}" : "";
        return $"give_up {text}: nothing there is lost{found}";
    }
}

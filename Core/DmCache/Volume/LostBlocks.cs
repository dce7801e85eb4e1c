using System;
using System.Collections.Generic;
using System.Numerics;
using Weir.Core.Base;
using Weir.Core.DmCache.Commit;
using Weir.Core.DmCache.Places;
using Weir.Core.Io;
using Weir.Core.Volumes;

namespace Weir.Core.DmCache.Volume;

/// <summary>
/// Dirty blocks that the cache device does not give (B11): names them, and takes the user's word for which of them are
/// given up. Control path, from any thread; the answer is a little old when it arrives.
/// </summary>
internal sealed class LostBlocks(DmCacheVolume volume)
{
    private const int WordBits = 64;

    private static readonly TimeSpan s_turn = TimeSpan.FromMilliseconds(20);

    /// <summary>How many there are.</summary>
    public long Count => Find().Count;

    /// <summary>They, in a sentence, as far as a line goes; null: there are none.</summary>
    public string? Sentence
    {
        get
        {
            List<(long Home, uint Place)> lost = Find();
            return lost.Count == 0 ? null : $"{LostRange.Count(lost.Count)} lost, unreadable in the cache and not "
                + $"written back: {LostRange.Describe(RangesOf(lost))}";
        }
    }

    private CacheMap Map => volume.Map;

    private string Name => volume.Options.ExportName == "" ? "backing" : volume.Options.ExportName;

    /// <summary>A range in a line, for <c>lost_blocks</c>.</summary>
    public string List() => LostRange.List(RangesOf(Find()));

    /// <summary>
    /// Begins to give up those that <paramref name="text"/> names, a range of whole blocks or all; null: there are
    /// none.
    /// </summary>
    /// <exception cref="UserErrorException">It is no such range.</exception>
    public GiveUpOrder? Begin(string text, out string named)
    {
        List<(long Home, uint Place)> lost = Select(text);
        named = LostRange.Describe(RangesOf(lost));
        if (lost.Count == 0) return null;
        lock (Map.SizeLock)
            foreach ((_, uint place) in lost) Map.Unreadable.GiveUp(place);
        volume.Queues.WakeFirst();
        return new GiveUpOrder(Map.Unreadable, volume.Changes, volume.Queues, lost);
    }

    /// <summary>The same, and waits for the end. What to say about it.</summary>
    /// <exception cref="UserErrorException">Nothing there is lost, or it could not be done.</exception>
    public string GiveUp(string text, IOrderWaiter waiter)
    {
        if (volume.ReadOnly) throw new UserErrorException("the volume is served read-only: nothing is given up");
        using GiveUpOrder order = Begin(text, out string named) ?? throw new UserErrorException(
            $"give_up {text}: nothing there is lost" + (Sentence is { } others ? $"; of the others, {others}" : ""));
        while (!order.IsDone)
        {
            if (waiter.GivesUp is { } why) throw new UserErrorException($"give_up: {why}");
            System.Threading.Thread.Sleep(s_turn);
        }
        return $"gave up {LostRange.Count(order.End())}, read from the backing device from now on: {named}\n";
    }

    /// <summary>Those that <paramref name="text"/> names, in order.</summary>
    /// <exception cref="UserErrorException">It is no such range.</exception>
    public List<(long Home, uint Place)> Select(string text)
    {
        List<(long Home, uint Place)> lost = Find();
        if (text == LostRange.Everything) return lost;
        LostRange range = LostRange.Parse(text, volume.SizeBytes);
        if (range.Device != Name)
            throw new UserErrorException(
                $"give_up '{text}': no device is called '{range.Device}'; expected '{Name}'", 2);
        long end = range.OffsetBytes + range.LengthBytes;
        lost.RemoveAll(block => Map.Geometry.HomeOffset(block.Home + 1) <= range.OffsetBytes
            || Map.Geometry.HomeOffset(block.Home) >= end);
        foreach ((long home, _) in lost)
            if (Map.Geometry.HomeOffset(home) < range.OffsetBytes || Map.Geometry.HomeOffset(home + 1) > end)
                throw new UserErrorException($"give_up '{text}': cuts the block at {Map.Geometry.HomeOffset(home)}; "
                    + $"expected whole blocks of {Map.Geometry.BlockBytes} bytes, as 'lost_blocks' has them", 2);
        return lost;
    }

    private List<(long Home, uint Place)> Find()
    {
        List<(long, uint)> found = [];
        if (Map.Unreadable.Count == 0) return found;
        using System.Threading.Lock.Scope scope = Map.SizeLock.EnterScope();
        for (uint word = 0; word < Map.Unreadable.WordCount; word++)
            for (ulong left = Map.Unreadable[word]; left != 0; left &= left - 1)
            {
                uint place = (word * WordBits) + (uint)BitOperations.TrailingZeroCount(left);
                if ((Map.Table.StateOf(place) & PlaceState.Dirty) != 0) found.Add((Map.Table.HomeOf(place), place));
            }
        found.Sort();
        return found;
    }

    private List<LostRange> RangesOf(List<(long Home, uint Place)> lost)
    {
        List<LostRange> ranges = [];
        foreach ((long home, _) in lost)
            ranges.Add(new LostRange(Name, Map.Geometry.HomeOffset(home), Map.Geometry.BlockBytes));
        return ranges;
    }
}

/// <summary>Lost blocks that leave the cache; done when the metadata have forgotten them, durably.</summary>
internal sealed class GiveUpOrder(
    UnreadablePlaces unreadable, ChangeList changes, QueueSet queues, List<(long Home, uint Place)> blocks)
    : IGiveUpOrder
{
    private long _ticket;

    /// <inheritdoc/>
    public bool IsDone
    {
        get
        {
            if (changes.Failure != null) return true;
            foreach ((_, uint place) in blocks)
                if (unreadable.IsGivenUp(place)) return false;
            if (_ticket == 0)
            {
                _ticket = changes.Urge();
                queues.WakeFirst();
            }
            return changes.IsDone(_ticket);
        }
    }

    /// <inheritdoc/>
    public int End() => changes.Failure is { } failure
        ? throw new UserErrorException($"give_up: {failure}") : blocks.Count;

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}

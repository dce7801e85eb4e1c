using System;
using System.Runtime.InteropServices;
using System.Threading;
using Weir.Core.Base;

namespace Weir.Core.Writeboost.Index;

/// <summary>
/// The zeroed and discarded ranges that the log holds (R9): disjoint intervals of block keys, sorted, each with the log
/// position of the newest range entry over it. Versions in <see cref="BlockIndex"/> with a higher position win over it.
/// Protocol: a sequence lock. The changer holds the latch and keeps the version odd meanwhile; readers search without
/// a lock and look again when the version has moved. The budget bounds the range entries in the log, and with them
/// the intervals: n ranges have 2n ends, so at most 2n - 1 intervals.
/// </summary>
public sealed unsafe class RangeMap : IDisposable
{
    private readonly int _budget;
    private Interval* _intervals;
    private Interval* _scratch;
    private int _capacity;
    private SpinLatch _latch;
    private int _version;
    private int _count;
    private int _entries;

    /// <summary>An empty map for at most <paramref name="budget"/> range entries at a time.</summary>
    public RangeMap(int budget)
    {
        _budget = budget;
        Grow(2 * budget);
    }

    /// <summary>Range entries that may be in the log before requests wait.</summary>
    public int Budget => _budget;

    /// <summary>
    /// As <see cref="TryTakeBudget"/>, but only while at least half of it is left: for what can do without.
    /// </summary>
    public bool TryTakeSpareBudget()
    {
        if (Interlocked.Increment(ref _entries) <= _budget / 2) return true;
        Interlocked.Decrement(ref _entries);
        return false;
    }

    /// <summary>Range entries in the log.</summary>
    public int Entries => Volatile.Read(ref _entries);

    /// <summary>Bytes of its structures.</summary>
    public long BytesUsed => 2L * _capacity * sizeof(Interval);

    /// <summary>
    /// Takes room for one range entry; false when the budget is full and the request must wait. Ranges that move in the
    /// log may be as many again, <paramref name="beyond"/> the budget: they are what gives some back.
    /// </summary>
    public bool TryTakeBudget(bool beyond = false)
    {
        if (Interlocked.Increment(ref _entries) <= (beyond ? 2 * _budget : _budget)) return true;
        Interlocked.Decrement(ref _entries);
        return false;
    }

    /// <summary>Gives back the room of <paramref name="count"/> entries.</summary>
    public void ReturnBudget(int count)
    {
        int left = Interlocked.Add(ref _entries, -count);
        Invariant.Check(left >= 0);
    }

    /// <summary>Recovery found a range entry: it counts, also beyond the budget. No other thread yet.</summary>
    public void TakeRecovered()
    {
        _entries++;
        if ((2 * _entries) + 4 > _capacity) Grow(2 * _entries);
    }

    /// <summary>Position of the newest range over block <paramref name="key"/>; 0 when none.</summary>
    public long PositionOver(ulong key)
    {
        if (Volatile.Read(ref _count) == 0) return 0;
        SpinWait spin = default;
        while (true)
        {
            int version = Volatile.Read(ref _version);
            if ((version & 1) == 0)
            {
                long position = Search(key);
                Interleaving.Step();
                Thread.MemoryBarrier();
                if (Volatile.Read(ref _version) == version) return position;
            }
            if (!Interleaving.Yield()) spin.SpinOnce(sleep1Threshold: -1);
        }
    }

    /// <summary>
    /// Lays a range of <paramref name="blocks"/> blocks at <paramref name="position"/> over what is there;
    /// <paramref name="keepsSpace"/>: no hole shall come of it.
    /// </summary>
    public void Insert(ulong key, long blocks, long position, bool keepsSpace = false)
    {
        _latch.Enter();
        int low = FirstEndingAfter(key);
        int high = low;
        while (high < _count && _intervals[high].Start < key + (ulong)blocks) high++;
        Interval range =
            new() { Start = key, End = key + (ulong)blocks, Position = position, KeepsSpace = keepsSpace };
        int made = Merge(low, high, range);
        Interlocked.Increment(ref _version);
        Interleaving.Step();
        Replace(low, high, made);
        Interlocked.Increment(ref _version);
        _latch.Exit();
    }

    /// <summary>
    /// The first interval that ends behind <paramref name="key"/> and whose position lies from <paramref name="low"/>
    /// to below <paramref name="high"/>; it begins at <paramref name="key"/> at the earliest.
    /// </summary>
    public bool TryFind(ulong key, long low, long high, out Interval found)
    {
        found = default;
        _latch.Enter();
        int at = FirstEndingAfter(key);
        while (at < _count && (_intervals[at].Position < low || _intervals[at].Position >= high)) at++;
        bool any = at < _count;
        if (any) found = _intervals[at] with { Start = Math.Max(key, _intervals[at].Start) };
        _latch.Exit();
        return any;
    }

    /// <summary>
    /// Intervals of keys from <paramref name="start"/> to below <paramref name="end"/> whose newest range entry lies at
    /// <paramref name="position"/> or behind it.
    /// </summary>
    public int CountBetween(ulong start, ulong end, long position = 0)
    {
        _latch.Enter();
        int count = 0;
        for (int at = FirstEndingAfter(start); at < _count && _intervals[at].Start < end; at++)
            if (_intervals[at].Position >= position) count++;
        _latch.Exit();
        return count;
    }

    /// <summary>The same of all keys.</summary>
    public int CountFrom(long position) => CountBetween(0, ulong.MaxValue, position);

    /// <summary>Forgets the ranges of keys from <paramref name="start"/> to below <paramref name="end"/>.</summary>
    public void RemoveBetween(ulong start, ulong end)
    {
        _latch.Enter();
        Interlocked.Increment(ref _version);
        int kept = 0;
        for (int i = 0; i < _count; i++)
            if (_intervals[i].End <= start || _intervals[i].Start >= end) _intervals[kept++] = _intervals[i];
        Volatile.Write(ref _count, kept);
        Interlocked.Increment(ref _version);
        _latch.Exit();
    }

    /// <summary>
    /// Interval number <paramref name="index"/>, by address; false beyond the last. While nobody changes the map.
    /// </summary>
    public bool TryGet(int index, out Interval interval)
    {
        bool found = index < Volatile.Read(ref _count);
        interval = found ? _intervals[index] : default;
        return found;
    }

    /// <summary>Forgets the ranges whose entries lie below <paramref name="position"/>.</summary>
    public void RemoveBelow(long position)
    {
        if (Volatile.Read(ref _count) == 0) return;
        _latch.Enter();
        Interlocked.Increment(ref _version);
        int kept = 0;
        for (int i = 0; i < _count; i++)
            if (_intervals[i].Position >= position) _intervals[kept++] = _intervals[i];
        Volatile.Write(ref _count, kept);
        Interlocked.Increment(ref _version);
        _latch.Exit();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.Free(_intervals);
        NativeMemory.Free(_scratch);
    }

    private void Grow(int entries)
    {
        _capacity = (2 * entries) + 4;
        _intervals = (Interval*)NativeMemory.Realloc(_intervals, (nuint)_capacity * (nuint)sizeof(Interval));
        _scratch = (Interval*)NativeMemory.Realloc(_scratch, (nuint)_capacity * (nuint)sizeof(Interval));
    }

    private long Search(ulong key)
    {
        int low = FirstEndingAfter(key);
        return low < _capacity && low < Volatile.Read(ref _count) && _intervals[low].Start <= key
            ? _intervals[low].Position
            : 0;
    }

    private int FirstEndingAfter(ulong key)
    {
        int low = 0, high = Volatile.Read(ref _count);
        while (low < high)
        {
            int middle = (low + high) >> 1;
            if (_intervals[middle].End > key) high = middle; else low = middle + 1;
        }
        return low;
    }

    // Builds in the scratch what replaces intervals low..high when the range comes: parts of newer intervals stay.
    private int Merge(int low, int high, Interval range)
    {
        int made = 0;
        ulong from = range.Start;
        for (int i = low; i < high; i++)
        {
            Interval old = _intervals[i];
            if (old.Start < range.Start) _scratch[made++] = old with { End = range.Start };
            if (old.Position > range.Position)
            {
                Interval kept =
                    old with { Start = Math.Max(old.Start, range.Start), End = Math.Min(old.End, range.End) };
                if (from < kept.Start) _scratch[made++] = range with { Start = from, End = kept.Start };
                _scratch[made++] = kept;
                from = kept.End;
            }
        }
        if (from < range.End) _scratch[made++] = range with { Start = from };
        if (high > low && _intervals[high - 1].End > range.End)
            _scratch[made++] = _intervals[high - 1] with { Start = range.End };
        return made;
    }

    private void Replace(int low, int high, int made)
    {
        int tail = _count - high;
        Invariant.Check(low + made + tail <= _capacity);
        new Span<Interval>(&_intervals[high], tail).CopyTo(new Span<Interval>(&_intervals[low + made], tail));
        new Span<Interval>(_scratch, made).CopyTo(new Span<Interval>(&_intervals[low], made));
        Volatile.Write(ref _count, low + made + tail);
    }

    /// <summary>Blocks that one range entry, the newest over them, makes zero.</summary>
    public struct Interval
    {
        /// <summary>Key of the first block.</summary>
        public ulong Start;
        /// <summary>Key behind the last one.</summary>
        public ulong End;
        /// <summary>Of the entry in the log.</summary>
        public long Position;
        /// <summary>The client wants no hole.</summary>
        public bool KeepsSpace;
    }
}

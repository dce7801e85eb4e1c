using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Writeboost.Index;
using Xunit;

namespace Weir.Tests.Stress;

/// <summary>
/// The range map while it changes: a look-up never shows less than what was there before it began, and never a range
/// that does not lie over the block (R9).
/// </summary>
public sealed class RangeMapTests
{
    // Few blocks: with more intervals the budget would have to be kept.
    private const int Blocks = 48, Changers = 2, Readers = 2;

    [Fact]
    public void ALookUpShowsWhatLiesThere()
    {
        using Run run = new();
        Action<Contention>[] work = new Action<Contention>[Changers + Readers];
        for (int i = 0; i < work.Length; i++)
        {
            ulong seed = (ulong)i;
            work[i] = i < Changers
                ? contention => run.Change(contention, seed)
                : contention => run.Read(contention, seed);
        }
        Exception? failure = Contention.Run(Contention.PartMs, null, run.IsEnough, work);
        Assert.True(failure == null, $"{failure}");
    }

    private sealed class Run : IDisposable
    {
        private readonly RangeMap _map = new(Blocks);
        // By block, what must be there at least.
        private readonly long[] _least = new long[Blocks];
        private long _position;
        private long _removed;
        private long _reads;

        public bool IsEnough() => Volatile.Read(ref _reads) > 1000;

        public void Dispose() => _map.Dispose();

        public void Change(Contention contention, ulong seed)
        {
            Prng random = new(seed);
            while (!contention.IsOver)
            {
                if (random.Chance(5)) Remove(random.Below(200));
                else Insert();
            }
        }

        public void Read(Contention contention, ulong seed)
        {
            Prng random = new(seed);
            long reads = 0;
            while (!contention.IsOver)
            {
                _reads = ++reads;
                int block = random.Below(Blocks);
                long least = Volatile.Read(ref _least[block]);
                long found = _map.PositionOver((ulong)block);
                long removed = Volatile.Read(ref _removed), last = Volatile.Read(ref _position);
                Assert.True(found >= least || least < removed, $"block {block}: {found}, after {least} was there");
                if (found == 0) continue;
                Assert.True(found <= last, $"block {block}: {found}, but {last} is the last");
                (int start, int end) = RangeAt(found);
                Assert.True(block >= start && block < end, $"block {block}: {found}, which is blocks {start} to {end}");
            }
        }

        // Its position says which blocks a range covers: whoever is slow has nothing to remember that others overwrite.
        private static (int Start, int End) RangeAt(long position)
        {
            Prng random = new((ulong)position);
            int start = random.Below(Blocks);
            return (start, Math.Min(Blocks, start + random.Between(1, 12)));
        }

        private void Insert()
        {
            long position = Interlocked.Increment(ref _position);
            (int start, int end) = RangeAt(position);
            _map.Insert((ulong)start, end - start, position);
            for (int block = start; block < end; block++)
            {
                long seen = Volatile.Read(ref _least[block]);
                while (seen < position)
                {
                    long found = Interlocked.CompareExchange(ref _least[block], position, seen);
                    if (found == seen) break;
                    seen = found;
                }
            }
        }

        // Said first: a look-up that misses it has begun afterwards, or looks here afterwards.
        private void Remove(int back)
        {
            long position = Math.Max(0, Volatile.Read(ref _position) - back);
            long seen = Volatile.Read(ref _removed);
            while (seen < position && Interlocked.CompareExchange(ref _removed, position, seen) != seen)
                seen = Volatile.Read(ref _removed);
            _map.RemoveBelow(position);
        }
    }
}

using System;
using System.Linq;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.SsdCache.Format;
using Weir.Core.SsdCache.Sets;
using Weir.Tests.SsdCache.Sets;
using Xunit;

namespace Weir.Tests.Stress;

/// <summary>
/// The directory of ssdcache while blocks come and go: what is pinned stays, no block has two ways, pins are counted,
/// and each thread's sectors are as it has left them, though others change their neighbours in the same words.
/// </summary>
public sealed unsafe class SetTableTests
{
    private const int Threads = 4, Sets = 3, Blocks = 200, Assoc = 4, SectorsEach = 64;

    [Fact]
    public void NothingIsLostBetweenThreads()
    {
        using Run run = new();
        Action<Contention>[] work = new Action<Contention>[Threads];
        for (int i = 0; i < Threads; i++)
        {
            int own = i;
            work[i] = contention => run.Work(contention, own);
        }
        Exception? failure = Contention.Run(Contention.PartMs, null, run.IsEnough, work);
        Assert.True(failure == null, $"{failure}");
        run.CheckAtRest();
    }

    private sealed class Run : IDisposable
    {
        private static readonly SsdGeometry s_geometry = SetModel.GeometryOf(Threads * SectorsEach * 512, Sets);

        private readonly SetTable _table = new(s_geometry, Assoc, null) { Strategy = Strategy.Random };
        // Who holds which block's way, as they see it: -1 none; the same for all who hold it at the same time.
        private readonly int[] _slots = new int[Blocks];
        private readonly int[] _holders = new int[Blocks];
        private long _taken;
        private long _evicted;

        public Run() => Array.Fill(_slots, -1);

        public bool IsEnough() => Volatile.Read(ref _taken) > 10_000 && Volatile.Read(ref _evicted) > 1000;

        public void Dispose() => _table.Dispose();

        public void Work(Contention contention, int own)
        {
            Prng random = new((ulong)own + 1);
            while (!contention.IsOver)
            {
                int block = random.Below(Blocks);
                bool mayTake = random.Chance(60);
                TakeResult result = TakeResult.Found;
                int slot = _table.FindAndPin((uint)block);
                if (slot < 0 && mayTake)
                {
                    result = _table.TryTake((uint)block, mayEvict: true, null, 1, out uint taken);
                    slot = result == TakeResult.NoWay ? -1 : (int)taken;
                }
                if (slot < 0) continue;
                Interlocked.Increment(ref _taken);
                if (result == TakeResult.Evicted) Interlocked.Increment(ref _evicted);
                Hold(block, slot);
                UseOwn((uint)slot, own, ref random);
                Assert.Equal((uint)block, _table.BlockOf((uint)slot));
                if (random.Chance(5)) _table.Snapshot(PageOf(slot), Image(own));
                Interlocked.Decrement(ref _holders[block]);
                if (random.Chance(3)) _table.Remove((uint)slot);
                _table.Unpin((uint)slot);
                if (own == 0 && random.Chance(20)) NameNothing(own);
            }
        }

        /// <summary>Nobody is at work any more.</summary>
        public void CheckAtRest()
        {
            for (int page = 0; page < s_geometry.Pages; page++) Assert.False(_table.HasPins(page));
            bool[] seen = new bool[Blocks];
            int used = 0;
            for (uint slot = 0; slot < s_geometry.Slots; slot++)
            {
                if (!_table.IsUsed(slot)) continue;
                Assert.False(seen[_table.BlockOf(slot)]);
                seen[_table.BlockOf(slot)] = true;
                used++;
            }
            Assert.Equal(used, _table.UsedCount);
            Assert.Equal((0, 0), (_table.DirtyCount, _table.DirtyUnits));
        }

        // While one holds it, all others who hold it have the same way.
        private void Hold(int block, int slot)
        {
            if (Interlocked.Increment(ref _holders[block]) == 1) Volatile.Write(ref _slots[block], slot);
            int seen = Volatile.Read(ref _slots[block]);
            if (seen == slot) return;
            // The first to hold it may not have said where yet.
            bool isSame = Contention.Await(() => Volatile.Read(ref _slots[block]) == slot);
            Assert.True(isSame, $"block {block} has two ways");
        }

        private void UseOwn(uint slot, int own, ref Prng random)
        {
            int first = (own * SectorsEach) + random.Below(SectorsEach / 2), count = random.Between(1, SectorsEach / 2);
            Assert.True(_table.BeginWrite(slot, goesHome: true));
            _table.SetValid(slot, first, count);
            Assert.True(_table.IsValid(slot, first, count));
            if (random.Chance(30))
            {
                _table.SetDirty(slot, first, count);
                Assert.True(_table.AnyDirty(slot, first, count));
            }
            _table.ClearValid(slot, own * SectorsEach, SectorsEach);
            Assert.False(_table.AnyValid(slot, own * SectorsEach, SectorsEach));
            Assert.False(_table.AnyDirty(slot, own * SectorsEach, SectorsEach));
            _table.EndWrite(slot);
        }

        // As a commit of the empty page, so that no way stays named.
        private void NameNothing(int own)
        {
            new Span<byte>(Image(own), s_geometry.PageBytes).Clear();
            for (int page = 0; page < s_geometry.Pages; page++) _table.Committed(page, Image(own));
        }

        private readonly AlignedMemory[] _images =
            [.. Enumerable.Range(0, Threads).Select(static _ => new AlignedMemory(s_geometry.PageBytes))];

        private static int PageOf(int slot) => s_geometry.PageOf((uint)slot / SsdGeometry.Ways);

        private byte* Image(int own) => _images[own].Pointer;
    }
}

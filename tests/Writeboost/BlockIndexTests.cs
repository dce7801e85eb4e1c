using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>The index against an array with the newest position per sector, alone and on several threads.</summary>
public sealed unsafe class BlockIndexTests
{
    private static readonly Geometry s_geometry = new(128 << 10, 64);

    [Fact]
    public void EverySectorComesFromItsNewestVersionWhateverTheOrder()
    {
        for (ulong seed = 0; seed < 200; seed++)
        {
            using SegmentTable table = NewTable();
            using BlockIndex index = new(s_geometry, table, keepChecksums: false);
            Prng random = new(seed);
            long[,] model = new long[16, 8];
            foreach (long position in Shuffled(ref random, 500))
            {
                int block = random.Below(16);
                byte sectors = random.Chance(40) ? (byte)0xFF : (byte)random.Between(1, 255);
                index.Insert((ulong)block, s_geometry.PhysicalSlot(position), sectors, 0);
                for (int i = 0; i < 8; i++)
                    if ((sectors >> i & 1) != 0) model[block, i] = Math.Max(model[block, i], position);
                AssertBlock(index, model, block);
            }
        }
    }

    [Fact]
    public void RemovedVersionsAreGoneAndTheOthersStay()
    {
        using SegmentTable table = NewTable();
        using BlockIndex index = new(s_geometry, table, keepChecksums: false);
        long first = s_geometry.Position(1, 1);
        for (int i = 0; i < 20; i++) index.Insert((ulong)i, s_geometry.PhysicalSlot(first + i), 0xFF, 0);
        Assert.Equal(20, index.DirtyCount);
        for (int i = 0; i < 20; i += 2) index.Remove(s_geometry.PhysicalSlot(first + i));
        for (int i = 0; i < 20; i++) Assert.Equal(i % 2 == 0 ? 0 : first + i, index.NewestPosition((ulong)i));
        Assert.Equal(10, index.DirtyCount);
    }

    /// <summary>Free, clean, rotten and dirty slots at random: a glance, its scalar twin and each slot agree.</summary>
    [Fact]
    public void AGlanceSeesWhatEachSlotSays()
    {
        for (ulong seed = 0; seed < 50; seed++)
        {
            using SegmentTable table = NewTable();
            using BlockIndex index = new(s_geometry, table, keepChecksums: false);
            Prng random = new(seed);
            int share = random.Below(101);
            List<ulong> expected = [];
            for (uint slot = 0; slot < s_geometry.SlotCount; slot++)
            {
                if (random.Chance(30)) continue;
                index.Insert(1000 + slot, slot, (byte)random.Between(1, 255), 0);
                if (random.Chance(20)) index.MarkRotten(slot, out _);
                if (!random.Chance(share)) index.MarkClean(slot);
                else expected.Add(1000 + slot);
            }
            for (long first = 0; first < s_geometry.SlotCount; first += BlockIndex.GlanceSlots)
            {
                uint dirty = 0;
                for (int i = 0; i < BlockIndex.GlanceSlots; i++)
                    if (index.TryGetDirty((uint)first + (uint)i, out _, out _)) dirty |= 1u << i;
                Assert.Equal(dirty, index.Glance(first));
                Assert.Equal(dirty, index.GlancePortable(first));
            }
            List<ulong> found = [];
            for (long slot = 0; index.TryNextDirty(ref slot, out ulong key, out _);) found.Add(key);
            Assert.Equal(expected, found);
        }
    }

    /// <summary>
    /// A walk that begins anew while another thread looks at a bit clears it: nothing may be called empty for that.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(long.MaxValue)]
    public void ARegionWithSomethingIsNeverEmptyWhileAWalkBegins(long slotsLookedAt)
    {
        using SegmentTable table = NewTable();
        using BlockIndex index = new(s_geometry, table, keepChecksums: false);
        index.Insert(0, s_geometry.PhysicalSlot(s_geometry.Position(2, 5)), 0xFF, 0);
        index.Regions.Advance(index, long.MaxValue, 0);
        Assert.True(index.Regions.IsEmpty(1UL << 20));
        Interleaving.Current = new Refreshing(index, slotsLookedAt);
        bool isEmpty = index.Regions.IsEmpty(0);
        Interleaving.Current = null;
        Assert.False(isEmpty);
    }

    private sealed class Refreshing(BlockIndex index, long most) : IInterleaver
    {
        public void Step() => index.Regions.Advance(index, most, 60_000_000);

        public bool Yield() => false;
    }

    /// <summary>W1: while one writer is in its bucket, others come and go in theirs.</summary>
    [Fact]
    public void WritersOfDifferentBucketsNeverWaitForEachOther()
    {
        using SegmentTable table = NewTable();
        using BlockIndex index = new(s_geometry, table, keepChecksums: false);
        long position = s_geometry.Position(1, 1);
        List<int> waited = [];
        for (int other = 0; other < 64; other++)
        {
            uint first = s_geometry.PhysicalSlot(position++), second = s_geometry.PhysicalSlot(position++);
            InTheLatch meeting = new(() => index.Insert((ulong)other, second, 0xFF, 0));
            Interleaving.Current = meeting;
            index.Insert(0, first, 0xFF, 0);
            Interleaving.Current = null;
            if (meeting.HasWaited) waited.Add(other);
            if ((position & 31) > 20) position = s_geometry.Position(s_geometry.SegmentOf(position) + 1, 1);
        }
        // The neighbours that have the same bucket, and at most as many that have it by chance.
        Assert.Equal([0, 1, 2, 3], waited.Take(BlockIndex.GroupBlocks));
        Assert.InRange(waited.Count, BlockIndex.GroupBlocks, 2 * BlockIndex.GroupBlocks);
    }

    // Runs another writer where this one has its bucket's latch.
    private sealed class InTheLatch(Action other) : IInterleaver
    {
        private bool _isIn;

        public bool HasWaited { get; private set; }

        public void Step()
        {
            if (_isIn) return;
            _isIn = true;
            try
            {
                other();
            }
            catch (LatchedException)
            {
                HasWaited = true;
            }
        }

        public bool Yield() => throw new LatchedException();
    }

    private sealed class LatchedException : Exception;

    [Fact]
    public void ItTakesAtMostSixteenBytesPerCachedBlock()
    {
        Geometry geometry = new(1 << 20, 256);
        using SegmentTable table = new(geometry);
        using BlockIndex index = new(geometry, table, keepChecksums: false);
        long bytes = index.NodeBytes + index.BucketBytes + ((long)geometry.SegmentCount * SegmentTable.BytesPerSegment);
        Assert.True(bytes <= 16 * geometry.SlotCount, $"{(double)bytes / geometry.SlotCount} bytes per block");
    }

    [Fact]
    public void ThreadsThatRaceForTheSameBlocksLeaveTheNewestPositions()
    {
        using SegmentTable table = NewTable();
        using BlockIndex index = new(s_geometry, table, keepChecksums: false);
        const int Blocks = 8, Threads = 4;
        long first = s_geometry.Position(1, 0), count = s_geometry.SlotCount;
        long[] newest = new long[Blocks];
        Thread[] threads = new Thread[Threads];
        for (int t = 0; t < Threads; t++)
        {
            int number = t;
            threads[t] = new Thread(() =>
            {
                Prng random = new((ulong)number);
                BlockVersion* versions = stackalloc BlockVersion[BlockIndex.MaxVersions];
                for (long i = number; i < count; i += Threads)
                {
                    int block = random.Below(Blocks);
                    long position = first + i;
                    index.Insert((ulong)block, s_geometry.PhysicalSlot(position), 0xFF, 0);
                    long seen = Volatile.Read(ref newest[block]);
                    while (seen < position && Interlocked.CompareExchange(ref newest[block], position, seen) != seen)
                        seen = newest[block];
                    int found = index.Lookup((ulong)block, versions);
                    Assert.Equal(1, found);
                    Assert.True(versions[0].Position >= position);
                    table.Unpin((int)(versions[0].Slot >> s_geometry.SlotShift), 1);
                }
            });
            threads[t].Start();
        }
        foreach (Thread thread in threads) thread.Join();
        for (int block = 0; block < Blocks; block++) Assert.Equal(newest[block], index.NewestPosition((ulong)block));
        Assert.Equal(Blocks, index.DirtyCount);
    }

    private static SegmentTable NewTable()
    {
        SegmentTable table = new(s_geometry);
        for (int i = 1; i <= s_geometry.SegmentCount; i++) table.Assign(s_geometry.Physical(i), i, -1);
        return table;
    }

    private static long[] Shuffled(ref Prng random, int count)
    {
        long[] positions = new long[count];
        for (int i = 0; i < count; i++)
        {
            int at = random.Below(i + 1);
            positions[i] = positions[at];
            positions[at] = s_geometry.Position(1, 0) + i;
        }
        return positions;
    }

    private static void AssertBlock(BlockIndex index, long[,] model, int block)
    {
        BlockVersion* versions = stackalloc BlockVersion[BlockIndex.MaxVersions];
        int count = index.Lookup((ulong)block, versions);
        for (int sector = 0; sector < 8; sector++)
        {
            long found = 0;
            for (int i = 0; i < count && found == 0; i++)
                if ((versions[i].Sectors >> sector & 1) != 0) found = versions[i].Position;
            Assert.Equal(model[block, sector], found);
        }
    }
}

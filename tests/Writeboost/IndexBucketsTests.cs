using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>The index's buckets: the tags, where blocks go, and what happens when a bucket is full.</summary>
public sealed unsafe class IndexBucketsTests
{
    private const int Crowd = 100;
    private static readonly Geometry s_geometry = new(128 << 10, 64);

    [Fact]
    public void TheVectorMatchesTheTagsThatALoopMatches()
    {
        using AlignedMemory memory = new(64);
        Prng random = new(1);
        for (int round = 0; round < 20_000; round++)
        {
            // Few kinds: some match, some are empty, the latch and the slots behind them look like tags.
            for (int i = 0; i < 64; i++) memory.Pointer[i] = (byte)random.Below(4);
            byte tag = (byte)random.Below(4);
            uint expected = 0;
            for (int i = 0; i < BlockIndex.Places; i++)
                if (memory.Pointer[i] == tag) expected |= 1u << i;
            Assert.Equal(expected, BlockIndex.MatchPortable(memory.Pointer, tag));
            Assert.Equal(expected, BlockIndex.Match(memory.Pointer, tag));
        }
    }

    [Fact]
    public void NeighboursHaveOneBucketAndATagEach()
    {
        for (ulong key = KeyOf(0); key < KeyOf(1 << 14); key += BlockIndex.GroupBlocks)
        {
            HashSet<uint> homes = [];
            HashSet<byte> tags = [];
            for (ulong i = 0; i < BlockIndex.GroupBlocks; i++)
            {
                homes.Add(BlockIndex.HomeOf(key + i, 1024, out byte tag));
                Assert.True(tags.Add(tag));
            }
            Assert.Single(homes);
            Assert.DoesNotContain((byte)0, tags);
        }
    }

    /// <summary>
    /// Whatever regular thing is stored, no more blocks are without a place in their bucket than if groups of four
    /// were drawn.
    /// </summary>
    [Theory]
    [InlineData("all")]
    [InlineData("second")]
    [InlineData("sixteenth")]
    [InlineData("five-hundred-and-twelfth")]
    [InlineData("first four of sixteen")]
    [InlineData("random")]
    [InlineData("devices")]
    public void RegularKeysFillTheBucketsAlike(string kind)
    {
        const int Blocks = 1 << 17;
        const uint Homes = Blocks / 11 / 16 * 16;
        int[] found = new int[Homes];
        Prng random = new(1);
        HashSet<ulong> seen = [];
        for (int i = 0; seen.Count < Blocks; i++)
        {
            ulong key = kind switch
            {
                "all" => KeyOf(i),
                "second" => KeyOf(i * 2L),
                "sixteenth" => KeyOf(i * 16L),
                "five-hundred-and-twelfth" => KeyOf(i * 512L),
                "first four of sixteen" => KeyOf((i / 4 * 16L) + (i % 4)),
                "devices" => (((ulong)(i % 254) + 1) << 40) | (uint)(i / 254),
                _ => KeyOf(random.Below(1 << 28)),
            };
            if (seen.Add(key)) found[BlockIndex.HomeOf(key, Homes, out _)]++;
        }
        double without = found.Sum(static blocks => Math.Max(0, blocks - BlockIndex.Places)) / (double)Blocks;
        Assert.InRange(without, 0, 0.24);
        Assert.InRange(found.Max(), 1, 64);
    }

    /// <summary>Far more blocks in one bucket than it has places, coming and going, against a dictionary.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void AFullBucketLosesNothing(ulong seed)
    {
        using SegmentTable table = NewTable();
        using BlockIndex index = new(s_geometry, table, keepChecksums: false);
        ulong[] keys = KeysOfOneBucket(index);
        Dictionary<ulong, uint> model = [];
        Queue<uint> free = new(Enumerable.Range(0, (int)s_geometry.SlotCount).Select(static i => (uint)i));
        Prng random = new(seed);
        long bytes = 0;
        for (int step = 0; step < 20_000; step++)
        {
            ulong key = keys[random.Below(Crowd)];
            bool fills = (step / 1000 % 2) == 0;
            if (random.Chance(fills ? 80 : 20) && free.TryDequeue(out uint slot))
            {
                _ = index.Insert(key, slot, SectorMask.Full, 0);
                uint former = model.GetValueOrDefault(key, uint.MaxValue);
                bool isNewer = former == uint.MaxValue || table.PositionOf(slot) > table.PositionOf(former);
                if (isNewer) model[key] = slot;
                if (former != uint.MaxValue || !isNewer) free.Enqueue(isNewer ? former : slot);
            }
            else if (model.Remove(key, out uint gone))
            {
                index.Remove(gone);
                free.Enqueue(gone);
            }
            ulong asked = keys[random.Below(Crowd)];
            long expected = model.TryGetValue(asked, out uint at) ? table.PositionOf(at) : 0;
            Assert.Equal(expected, index.NewestPosition(asked));
            Assert.Equal(model.Count, index.DirtyCount);
            // What has come back is used again.
            if (step == 4000) bytes = index.BucketBytes;
        }
        Assert.Equal(bytes, index.BucketBytes);
    }

    /// <summary>
    /// Blocks come and go on two threads, in a bucket that is full; those that stay lie in its overflow at first, move
    /// into the holes, and are found all the time, with and without the latch.
    /// </summary>
    [Theory]
    [InlineData(WriteboostMutant.None)]
    [InlineData(WriteboostMutant.R10LatchAndOverflowIgnored)]
    public void WhoStaysInACrowdedBucketIsAlwaysFound(WriteboostMutant mutant)
    {
        const int Indexes = 100;
        int lost = 0;
        for (int i = 0; i < Indexes; i++) lost += LookForThoseWhoStay(mutant, (ulong)i);
        if (mutant == WriteboostMutant.None) Assert.Equal(0, lost);
        else Assert.NotEqual(0, lost);
    }

    // How often one of them was not found.
    private static int LookForThoseWhoStay(WriteboostMutant mutant, ulong seed)
    {
        const int Movers = BlockIndex.Places / 2, Staying = 8;
        using SegmentTable table = NewTable();
        using BlockIndex index = new(s_geometry, table, keepChecksums: false);
        ulong[] keys = KeysOfOneBucket(index);
        // Whoever comes first has the bucket's own places.
        for (int i = 0; i < (2 * Movers) + Staying; i++) Insert(i);
        int ended = 0;
        Thread[] threads = [NewThread(0), NewThread(1)];
        int lost = CountLost();
        foreach (Thread thread in threads) thread.Start();
        while (Volatile.Read(ref ended) < threads.Length) lost += CountLost();
        foreach (Thread thread in threads) thread.Join();
        return lost;

        void Insert(int i) => _ = index.Insert(keys[i], (uint)i, SectorMask.Full, 0);

        Thread NewThread(int number) => new(() =>
        {
            const int Rounds = 400;
            Prng random = new((2 * seed) + (ulong)number);
            for (int round = 0; round < Rounds; round++)
            {
                int i = (number * Movers) + random.Below(Movers);
                if (index.IsLinked((uint)i)) index.Remove((uint)i);
                else Insert(i);
            }
            Interlocked.Increment(ref ended);
        });

        int CountLost()
        {
            int count = 0;
            Mutant.Active = mutant;
            for (int i = 2 * Movers; i < (2 * Movers) + Staying; i++)
                if (index.NewestPosition(keys[i]) != table.PositionOf((uint)i)) count++;
            Mutant.Active = null;
            return count;
        }
    }

    // Of different groups, so that some have the same tag.
    private static ulong[] KeysOfOneBucket(BlockIndex index)
    {
        List<ulong> keys = [];
        for (long block = 0; keys.Count < Crowd; block++)
            if (BlockIndex.HomeOf(KeyOf(block), index.HomeCount, out _) == 5) keys.Add(KeyOf(block));
        return [.. keys];
    }

    private static SegmentTable NewTable()
    {
        SegmentTable table = new(s_geometry);
        for (int i = 1; i <= s_geometry.SegmentCount; i++) table.Assign(s_geometry.Physical(i), i, -1);
        return table;
    }

    private static ulong KeyOf(long block) => (1UL << 40) | (ulong)block;
}

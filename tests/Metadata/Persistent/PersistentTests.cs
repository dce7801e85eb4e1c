using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.InteropServices;
using Weir.Core.Base;
using Weir.Core.Metadata.Persistent;
using Xunit;

namespace Weir.Tests.Metadata.Persistent;

/// <summary>The parts of the library by themselves.</summary>
public sealed unsafe class PersistentTests
{
    [Fact]
    public void CountsOfAnySizeAreKept()
    {
        using PersistentStore store = new(40_000);
        Dictionary<long, uint> expected = [];
        Prng random = new(3);
        for (int round = 0; round < 6; round++)
        {
            for (int i = 0; i < 700; i++)
            {
                long block = random.Between(2000, 39_999);
                uint count = expected.GetValueOrDefault(block);
                if (count > 0 && random.Chance(30))
                {
                    store.Space.Decrement(block);
                    expected[block] = count - 1;
                    continue;
                }
                int more = random.Between(1, 6);
                for (int step = 0; step < more; step++) store.Space.Increment(block);
                expected[block] = count + (uint)more;
            }
            store.Commit();
            store.Reopen();
            foreach ((long block, uint count) in expected) Assert.Equal(count, store.Space.Count(block));
        }
        // 1 for the superblock, those of the map, and these.
        List<long> own = [];
        store.Space.ListOwn(own);
        Assert.Equal(1 + own.Count + expected.Values.Count(static count => count > 0), store.Space.Allocated);
        Assert.All(own, block => Assert.Equal(1u, store.Space.Count(block)));
    }

    [Fact]
    public void WhatIsFreedIsNotTakenBeforeTheCommitHasEnded()
    {
        using PersistentStore store = new(200);
        List<long> first = Take(store, 30);
        store.Commit();
        foreach (long block in first) store.Transaction.Free(block);
        long free = store.Space.Free;
        Assert.Empty(first.Intersect(Take(store, 20)));
        Assert.Equal(free - 20, store.Space.Free);
        store.Commit();
        Assert.NotEmpty(first.Intersect(Take(store, 20)));
    }

    [Fact]
    public void TheLastFreeBlocksAreForTheCommit()
    {
        using PersistentStore store = new(64);
        store.Commit();
        Assert.Throws<MetadataFullException>(() => Take(store, 64));
        Assert.Equal(0, store.Space.Free);
        store.Commit();
        store.Reopen();
        Assert.Equal(64 - 3, store.Space.Allocated);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(252)]
    [InlineData(253)]
    [InlineData(64_000)]
    public void TreesOfAnySizeAreFoundAndWalked(int count)
    {
        using PersistentStore store = new(4000);
        ulong[] keys = [.. Enumerable.Range(0, count).Select(static i => (ulong)i * 3 + 1)];
        long[] values = [.. Enumerable.Range(0, count).Select(static i => i * 7L)];
        long root = BTree.Build(store.Transaction, 8, keys, MemoryMarshal.AsBytes(values.AsSpan()));
        store.Commit();
        store.Reopen();
        List<ulong> walked = [];
        long nodes = 0;
        BTreeWalk walk = new(store.Blocks, root, 8);
        WalkStep step = WalkStep.Node;
        while (step != WalkStep.End)
        {
            BTreeNode node = default;
            store.Run(() => (step = walk.Next(out node)) != WalkStep.Missing);
            if (step == WalkStep.End) break;
            nodes++;
            for (int i = 0; node.IsLeaf && i < node.Count; i++) walked.Add(node.Key(i));
        }
        Assert.Equal(keys, walked);
        Assert.Equal(BTree.NodesOf(count, 8), nodes);
        for (int i = 0; i < count; i += 97)
        {
            Assert.Equal(values[i], Find(store, root, keys[i]));
            Assert.Null(Find(store, root, keys[i] + 1));
        }
        Assert.Null(Find(store, root, 0));
    }

    [Fact]
    public void AChangeCopiesThePathAndNothingElse()
    {
        using PersistentStore store = new(4000);
        PersistentArray array = PersistentArray.Create(store.Transaction, 8);
        store.Run(() => array.TryResize(509 * 600));
        store.Commit();
        long root = array.Root;
        store.Run(() => Set(array, 509 * 300, 5));
        // Two nodes and the block itself; a second change of the same costs nothing.
        Assert.Equal(3, store.Blocks.ChangedCount);
        store.Run(() => Set(array, 509 * 300 + 7, 6));
        Assert.Equal(3, store.Blocks.ChangedCount);
        Assert.NotEqual(root, array.Root);
    }

    [Fact]
    public void ArraysGrowAndShrinkToAnySize()
    {
        using PersistentStore store = new(2000);
        PersistentArray array = PersistentArray.Create(store.Transaction, 4);
        Bitset bits = Bitset.Create(store.Transaction);
        Prng random = new(5);
        uint[] model = [];
        int[] sizes = [1, 1018, 1019, 2036, 2035, 1018, 1017, 40_000, 1018, 0, 3054];
        foreach (int size in sizes)
        {
            store.Run(() => array.TryResize(size));
            Array.Resize(ref model, size);
            store.Run(() => bits.TryResize(size));
            for (int i = 0; i < Math.Min(size, 200); i++)
            {
                (int place, uint value) = (random.Below(size), (uint)random.Next());
                store.Run(() => Set(array, place, value));
                model[place] = value;
            }
            if (size > 0) store.Run(() => bits.TrySet((size - 1) / 64, bits.MaskOf((size - 1) / 64)));
            store.Commit();
            store.Reopen();
            array = new PersistentArray(store.Transaction, 4, array.Root, size);
            bits = new Bitset(
                new PersistentArray(store.Transaction, 8, bits.Words.Root, Bitset.WordsOf(size)), size);
            Assert.Equal(model, Read(store, array));
        }
    }

    [Fact]
    public void MemoryHoldsWhatWasChangedAndIsBoundedAfterwards()
    {
        using PersistentStore store = new(4000, cleanBlocks: 64);
        PersistentArray array = PersistentArray.Create(store.Transaction, 8);
        store.Run(() => array.TryResize(509 * 1000));
        Assert.InRange(store.Blocks.MemoryBytes, 1000 * 4096, 1200 * 4096);
        store.Commit();
        Assert.Equal(64 * 4096, store.Blocks.MemoryBytes);
        for (int i = 0; i < 1000; i++) store.Run(() => array.TryRead(509 * i, out _, out _));
        Assert.Equal(64 * 4096, store.Blocks.MemoryBytes);
        Assert.InRange(store.Supplied, 900, 1100);
    }

    [Fact]
    public void ABlockIsCheckedWhenItIsFirstUsed()
    {
        using PersistentStore store = new(100);
        long root = BTree.Build(store.Transaction, 8, [1], BitConverter.GetBytes(2L));
        store.Commit();
        store.Reopen();
        store.Run(() => store.Blocks.TryGet(root, BlockKind.Node, out _));
        DamagedMetadataException other = Assert.Throws<DamagedMetadataException>(
            () => store.Run(() => store.Blocks.TryGet(root, BlockKind.Bitmap, out _)));
        Assert.Equal($"metadata block {root}, as space map bitmap: it is in use as btree node too", other.Message);
        DamagedMetadataException blank = Assert.Throws<DamagedMetadataException>(
            () => store.Run(() => store.Blocks.TryGet(90, BlockKind.Node, out _)));
        Assert.Contains("checksum 00000000, expected", blank.Message);
        Assert.Throws<DamagedMetadataException>(() => store.Blocks.TryGet(100, BlockKind.Node, out _));
        Assert.Throws<DamagedMetadataException>(() => store.Blocks.TryGet(-1, BlockKind.Node, out _));
    }

    private static List<long> Take(PersistentStore store, int count)
    {
        List<long> taken = [];
        for (int i = 0; i < count; i++)
        {
            store.Transaction.Allocate(BlockKind.Array, out long block);
            taken.Add(block);
        }
        return taken;
    }

    private static long? Find(PersistentStore store, long root, ulong key)
    {
        byte* value = null;
        store.Run(() => BTree.TryFind(store.Blocks, root, 8, key, out value));
        return value == null ? null : *(long*)value;
    }

    private static bool Set(PersistentArray array, long index, uint value)
    {
        if (!array.TryChange(index, out byte* entry)) return false;
        *(uint*)entry = value;
        return true;
    }

    private static uint[] Read(PersistentStore store, PersistentArray array)
    {
        List<uint> all = [];
        while (all.Count < array.Count)
            store.Run(() =>
            {
                if (!array.TryRead(all.Count, out byte* entries, out int count)) return false;
                all.AddRange(new ReadOnlySpan<uint>(entries, count));
                return true;
            });
        return [.. all];
    }
}

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Linq;
using Weir.Core.Base;
using Weir.Core.DmCache.Format;
using Weir.Core.Metadata.Persistent;
using Weir.Tests.DmCache.Format;
using Xunit;

namespace Weir.Tests.DmCache.Tools;

/// <summary>
/// Damaged and hostile metadata: check finds what is wrong or it is harmless; nothing crashes, runs for ever or takes
/// memory without bound.
/// </summary>
public sealed class FuzzTests
{
    private const int Cuts = 1500, Judged = 60;
    private const long MostBytes = 64 << 20;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void EveryByteThatIsInUseIsCovered(int version)
    {
        MetadataImage image = Small(version);
        int[] used = References.Of(image);
        string before = OfflineTools.Dump(image, withDiscards: true);
        Prng random = new(7);
        for (int at = 0; at < image.Bytes.Length; at++)
        {
            bool isUsed = used[at / MetadataImage.BlockBytes] > 0;
            // What nothing refers to is not read; a sample shows that.
            if (!isUsed && at % 499 != 0) continue;
            byte flipped = (byte)(1 << random.Below(8));
            image.Bytes[at] ^= flipped;
            int problems = OfflineTools.Check(image).Problems.Count;
            if (isUsed) Assert.True(problems > 0, $"byte {at}");
            else Assert.Equal(before, OfflineTools.Dump(image, withDiscards: true));
            image.Bytes[at] ^= flipped;
        }
    }

    [Fact]
    public void TreesThatAreCutAndTurnedOnThemselvesAreDamageAndNothingElse()
    {
        int opened = 0, repaired = 0;
        for (ulong seed = 1; seed <= Cuts; seed++)
        {
            Prng random = new(seed);
            MetadataImage image = Small(1 + (int)(seed % 2));
            for (int cuts = random.Between(1, 3); cuts > 0; cuts--) Cut(image, ref random);
            long before = GC.GetAllocatedBytesForCurrentThread();
            OfflineTools.Check(image);
            if (Goes(() => UseAll(image.Copy()))) opened++;
            if (Goes(() => OfflineTools.Repair(image, dropsLost: true)) && IsMended(image, seed)) repaired++;
            long took = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(took < MostBytes, $"seed {seed}: {took} bytes of memory");
        }
        // Both ends are reached, and not by a hair.
        Assert.InRange(opened, Cuts / 20, Cuts - Cuts / 20);
        Assert.InRange(repaired, Cuts / 4, Cuts);
    }

    /// <summary>
    /// What the newer judge refuses, check does not call sound. Of blocks of arrays: in a tree it may go round for
    /// ever.
    /// </summary>
    [Fact]
    public void WhatTheJudgeFindsIsFound()
    {
        int refused = 0;
        for (ulong seed = 5001; seed <= 5000 + Judged; seed++)
        {
            Prng random = new(seed);
            MetadataImage image = Small(1 + (int)(seed % 2));
            Cut(image, ref random, onlyArrays: true);
            if (!Judge.New.Refuses(image)) continue;
            refused++;
            Assert.True(OfflineTools.Check(image).Problems.Count > 0, $"seed {seed}");
        }
        Assert.InRange(refused, Judged / 4, Judged);
    }

    /// <summary>A tree in which each node is the child of another 252 times would be walked for ever.</summary>
    [Fact]
    public void ATreeOfTheSameChildrenEnds()
    {
        MetadataImage image = Small(1);
        int[] used = References.Of(image);
        long root = BinaryPrimitives.ReadInt64LittleEndian(image.Block(0)[192..]);
        for (long block = 0; block < image.Blocks; block++)
        {
            if (used[block] > 0 && block != root) continue;
            Span<byte> node = image.Block(block);
            node.Clear();
            BinaryPrimitives.WriteInt32LittleEndian(node[4..], 1);
            BinaryPrimitives.WriteInt32LittleEndian(node[16..], 252);
            BinaryPrimitives.WriteInt32LittleEndian(node[20..], 252);
            BinaryPrimitives.WriteInt32LittleEndian(node[24..], 8);
            for (int i = 0; i < 252; i++)
            {
                BinaryPrimitives.WriteInt64LittleEndian(node[(32 + 8 * i)..], i);
                BinaryPrimitives.WriteInt64LittleEndian(node[(32 + 8 * 252 + 8 * i)..], (block + 1) % image.Blocks);
            }
            image.Seal(block, BlockKind.Node);
        }
        Assert.NotEmpty(OfflineTools.Check(image).Problems);
        Assert.False(Goes(() => UseAll(image)));
    }

    private static MetadataImage Small(int version)
    {
        MetadataImage image = MetadataImage.Blank(96);
        using CacheMetadata metadata = CacheMetadata.Create(new CacheShape(version, 128, 1300, 96), 64);
        image.Run(metadata, () => metadata.TryBeginHints("smq", 4, (2, 0, 0)));
        image.Run(metadata, () => metadata.TryResizeDiscards(128, 1300));
        for (uint place = 0; place < 1300; place += 3)
        {
            image.Run(metadata, () => metadata.TrySetMapping(place, Mapping.WordOf(place)));
            image.Run(metadata, () => metadata.TrySetHint(place, place));
        }
        image.Run(metadata, () => metadata.TrySetDiscardWord(1, 0xFF00));
        if (version == 2) image.Run(metadata, () => metadata.TrySetDirtyWord(0, 1 << 3));
        image.Commit(metadata);
        return image;
    }

    // A number in a block that is in use becomes another one, and the block is whole.
    private static void Cut(MetadataImage image, ref Prng random, bool onlyArrays = false)
    {
        int[] used;
        try
        {
            used = References.Of(image);
        }
        catch (Exception fault) when (fault is IndexOutOfRangeException or ArgumentOutOfRangeException
            or InsufficientExecutionStackException or OverflowException)
        {
            return;
        }
        long[] blocks = [.. Enumerable.Range(0, (int)Math.Min(image.Blocks, used.Length))
            .Where(block => used[block] > 0 && (!onlyArrays || KindOf(image, block) == BlockKind.Array))
            .Select(static block => (long)block)];
        long block = blocks[random.Below(blocks.Length)];
        BlockKind kind = KindOf(image, block);
        Span<byte> bytes = image.Block(block);
        int offset = random.Below(3) switch
        {
            0 => 4 * random.Below(10),
            1 => 24 + 8 * random.Below(16),
            _ => kind == BlockKind.Node ? 32 + 8 * 252 + 8 * random.Below(6) : 64 + 4 * random.Below(64),
        };
        long[] values = [0, 1, 2, 3, -1, 252, 253, block, blocks[random.Below(blocks.Length)], image.Blocks,
            random.Below(image.Blocks), long.MaxValue, (long)random.Next(), int.MaxValue];
        long value = values[random.Below(values.Length)];
        if (random.Chance(50)) BinaryPrimitives.WriteInt32LittleEndian(bytes[offset..], (int)value);
        else BinaryPrimitives.WriteInt64LittleEndian(bytes[offset..], value);
        image.Seal(block, kind);
    }

    private static readonly BlockKind[] s_kinds =
        [BlockKind.Node, BlockKind.Array, BlockKind.Index, BlockKind.Bitmap];

    private static unsafe BlockKind KindOf(MetadataImage image, long block)
    {
        fixed (byte* bytes = image.Block(block))
            foreach (BlockKind kind in s_kinds)
                if (kind.Fault(bytes, block) == null) return kind;
        return DiskSuperblock.Kind;
    }

    // What is named damage, or that there is no room, is an answer.
    private static bool Goes(Action action)
    {
        try
        {
            action();
            return true;
        }
        catch (Exception fault) when (fault is DamagedMetadataException or RefusedMetadataException
            or MetadataFullException or UserErrorException)
        {
            return false;
        }
    }

    private static void UseAll(MetadataImage image)
    {
        using CacheMetadata metadata = image.Open();
        image.Mappings(metadata);
        image.Hints(metadata);
        image.DiscardWords(metadata);
        if (metadata.Head.Version == 2) image.DirtyWords(metadata);
        if (metadata.Head.Places > 0) image.Run(metadata, () => metadata.TrySetMapping(0, Mapping.WordOf(5)));
        image.Run(metadata, () => metadata.TryResize(600));
        image.Run(metadata, () => metadata.TryBeginHints("lru", 4, (1, 0, 0)));
        image.Run(metadata, () => metadata.TryResizeDiscards(256, 100));
        image.Commit(metadata);
    }

    private static bool IsMended(MetadataImage image, ulong seed)
    {
        List<string> problems = [.. OfflineTools.Check(image).Problems
            .Where(static problem => !problem.Contains("past the end", StringComparison.Ordinal))];
        Assert.True(problems.Count == 0, $"seed {seed}: {string.Join('\n', problems)}");
        return true;
    }
}

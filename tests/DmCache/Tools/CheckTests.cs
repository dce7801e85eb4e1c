using System;
using System.Runtime.InteropServices;
using Weir.Core.DmCache;
using Weir.Core.DmCache.Format;
using Weir.Core.Metadata.Persistent;
using Weir.Tests.DmCache.Format;
using Xunit;

namespace Weir.Tests.DmCache.Tools;

/// <summary>What check finds, beside what the judges find.</summary>
public sealed class CheckTests
{
    public static TheoryData<string> Sets => [.. MetadataImage.Fixtures];

    [Theory]
    [MemberData(nameof(Sets))]
    public void WhatKernelsHaveWrittenIsSoundAndInDoubt(string set)
    {
        CheckItems items = OfflineTools.Check(MetadataImage.OfKernel(set), 128 << 20);
        Assert.Empty(items.Problems);
        using CacheMetadata metadata = MetadataImage.OfKernel(set).Open();
        long mapped = items.Numbers["mapped_blocks"], dirty = items.Numbers["dirty_blocks"];
        Assert.Equal(metadata.Head.IsClean ? mapped - dirty : 0, items.Numbers["in_doubt_blocks"]);
        if (!metadata.Head.IsClean) Assert.Equal(mapped, dirty);
    }

    [Theory]
    [InlineData(DmCacheMutant.None, false)]
    [InlineData(DmCacheMutant.B14ForeignMarkTrusted, true)]
    public void WhatWeirHasWrittenLastIsNotInDoubt(DmCacheMutant mutant, bool isTrusted)
    {
        using MutantScope broken = new(mutant);
        using CacheModel model = new(1);
        for (int step = 0; step < 100; step++) model.Step();
        model.Head.IsClean = true;
        model.Image.Commit(model.Metadata);
        Assert.Equal(0, OfflineTools.Check(model.Image).Numbers["in_doubt_blocks"]);
        // Somebody else has written: the mark is there still, and counts no more.
        MetadataImage kernels = model.Image.Copy();
        kernels.Block(0)[4] ^= 2;
        kernels.Seal(0, DiskSuperblock.Kind);
        using CacheMetadata metadata = kernels.Open();
        Assert.Equal(isTrusted, metadata.IsOurs);
        Assert.Equal(isTrusted, OfflineTools.Check(kernels).Numbers["in_doubt_blocks"] == 0);
        foreach (Judge judge in Judge.Both) judge.Accepts(kernels);
    }

    /// <summary>Each damage is found where the judges find it, and where they do not.</summary>
    [Theory]
    [InlineData("unknown flag", true)]
    [InlineData("two places for a home", true)]
    [InlineData("past the end", true)]
    [InlineData("a mapping block", true)]
    [InlineData("a node", true)]
    [InlineData("a hint block", true)]
    [InlineData("leaked", true)]
    [InlineData("not counted", true)]
    [InlineData("a bitmap", true)]
    [InlineData("fewer entries", false)]
    [InlineData("dirty, and nothing is there", true)]
    public void DamageIsFound(string damage, bool byJudge)
    {
        MetadataImage image = MetadataImage.OfKernel("v2-wb-resume-crash");
        Damage.Do(image, damage);
        Assert.NotEmpty(OfflineTools.Check(image, 128 << 20).Problems);
        Assert.Equal(byJudge, Judge.New.Refuses(image));
    }

    [Fact]
    public void ADamagedSuperblockIsNamed()
    {
        MetadataImage image = MetadataImage.OfKernel("v1-wb-clean");
        image.Block(0)[300] ^= 1;
        Assert.Contains("superblock: checksum", Assert.Single(OfflineTools.Check(image).Problems));
        image.Block(0).Clear();
        Assert.Contains("blank", Assert.Single(OfflineTools.Check(image).Problems));
    }

    [Fact]
    public void AShorterBackingDeviceIsSeen()
    {
        MetadataImage image = MetadataImage.OfKernel("v1-wb-clean");
        Assert.NotEmpty(OfflineTools.Check(image, 64 << 20).Problems);
    }
}

/// <summary>Things that go wrong with metadata, with right checksums where that is possible.</summary>
internal static class Damage
{
    public static void Do(MetadataImage image, string damage)
    {
        switch (damage)
        {
            case "unknown flag": Map(image, 0, word => word | 4); break;
            case "two places for a home": Map(image, 0, _ => Mappings(image)[1]); break;
            case "past the end": Map(image, 0, _ => Mapping.WordOf(1 << 20)); break;
            case "a mapping block": image.Block(ArrayBlock(image, 192))[100] ^= 1; break;
            case "a node": image.Block(Root(image, 192))[40] ^= 1; break;
            case "a hint block": image.Block(ArrayBlock(image, 200))[100] ^= 1; break;
            case "leaked": SetCount(image, 1000, 2); break;
            case "not counted": SetCount(image, ArrayBlock(image, 192), 0); break;
            case "counted twice": SetCount(image, ArrayBlock(image, 192), 1); break;
            case "dirty past the end": SetDirty(image, 120); break;
            case "a bitmap": image.Block(Bitmap(image))[3000] ^= 1; break;
            case "fewer entries": Fewer(image); break;
            case "dirty, and nothing is there": SetDirty(image, 255); break;
            default: throw new ArgumentException(damage);
        }
    }

    private static long Root(MetadataImage image, int offset) => BitConverter.ToInt64(image.Block(0)[offset..]);

    private static long ArrayBlock(MetadataImage image, int offset) =>
        BitConverter.ToInt64(image.Block(Root(image, offset))[(32 + 8 * 252)..]);

    private static long Bitmap(MetadataImage image) => BitConverter.ToInt64(image.Block(Root(image, 80))[16..]);

    private static Span<ulong> Mappings(MetadataImage image) =>
        MemoryMarshal.Cast<byte, ulong>(image.Block(ArrayBlock(image, 192))[24..]);

    private static void Map(MetadataImage image, int place, Func<ulong, ulong> change)
    {
        Mappings(image)[place] = change(Mappings(image)[place]);
        image.Seal(ArrayBlock(image, 192), BlockKind.Array);
    }

    // As it lies there: 2 is 1, and 0 is 0.
    private static void SetCount(MetadataImage image, long block, int bits)
    {
        ref byte counts = ref image.Block(Bitmap(image))[(int)(16 + block / 4)];
        int shift = (int)(block % 4) * 2;
        counts = (byte)((counts & ~(3 << shift)) | (bits << shift));
        image.Seal(Bitmap(image), BlockKind.Bitmap);
    }

    private static void Fewer(MetadataImage image)
    {
        long block = ArrayBlock(image, 192);
        BitConverter.TryWriteBytes(image.Block(block)[8..], 200);
        image.Seal(block, BlockKind.Array);
    }

    private static void SetDirty(MetadataImage image, int place)
    {
        long block = ArrayBlock(image, 284);
        image.Block(block)[24 + place / 8] |= (byte)(1 << (place % 8));
        image.Seal(block, BlockKind.Array);
    }
}

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Weir.Core.DmCache.Format;
using Weir.Core.Metadata.Persistent;
using Xunit;

namespace Weir.Tests.DmCache.Format;

/// <summary>The bytes are those of the kernel: offsets, and images that kernels have written.</summary>
public sealed partial class FormatTests
{
    public static TheoryData<string> Sets => [.. MetadataImage.Fixtures];

    [Fact]
    public unsafe void FieldsLieWhereTheKernelHasThem()
    {
        Assert.Equal(512, sizeof(DiskSuperblock));
        Assert.Equal(128, sizeof(SpaceMapRoot));
        Assert.Equal(16, sizeof(SpaceMapIndexEntry));
        Assert.Equal(32, sizeof(BTreeNodeHeader));
        Assert.Equal(24, sizeof(ArrayBlockHeader));
        (string Field, int Offset)[] fields =
        [
            ("Checksum", 0), ("Flags", 4), ("Number", 8), ("Uuid", 16), ("Magic", 32), ("Version", 40),
            ("PolicyName", 44), ("HintBytes", 60), ("SpaceMap", 64), ("MappingRoot", 192), ("HintRoot", 200),
            ("DiscardRoot", 208), ("DiscardBlockSectors", 216), ("DiscardBlocks", 224), ("BlockSectors", 232),
            ("MetadataBlockSectors", 236), ("Places", 240), ("Compatible", 244), ("CompatibleReadOnly", 248),
            ("Incompatible", 252), ("ReadHits", 256), ("ReadMisses", 260), ("WriteHits", 264), ("WriteMisses", 268),
            ("PolicyMajor", 272), ("PolicyMinor", 276), ("PolicyPatch", 280), ("DirtyRootBytes", 284),
            ("MarkMagic", 448), ("MarkCache", 456), ("MarkFlags", 472), ("MarkSum", 508),
        ];
        foreach ((string field, int offset) in fields)
            Assert.Equal(offset, (int)Marshal.OffsetOf<DiskSuperblock>(field));
        Assert.Equal(6142003, Convert.ToInt32(Convert.ToString((int)DiskSuperblock.MagicValue, 8)));
        Assert.Equal("WEIRDMC1"u8.ToArray(), BitConverter.GetBytes(DiskSuperblock.MarkMagicValue));
    }

    [Fact]
    public void BlocksHoldWhatTheKernelPutsIntoThem()
    {
        Assert.Equal(252, BTreeNode.MaxEntries(8));
        Assert.Equal(336, BTreeNode.MaxEntries(4));
        Assert.Equal(509, PersistentArray.EntriesOf(8));
        Assert.Equal(1018, PersistentArray.EntriesOf(4));
        Assert.Equal(16320, SpaceMapFormat.BitmapCounts);
        Assert.Equal(CacheMetadata.MaxBlocks, 255 * 16320);
    }

    [Theory]
    [MemberData(nameof(Sets))]
    public void WhatKernelsHaveWrittenReadsAsItWas(string set)
    {
        MetadataImage image = MetadataImage.OfKernel(set);
        using CacheMetadata metadata = image.Open();
        string info = File.ReadAllText(MetadataImage.FixturePath(set, "info.txt"));
        Match status = Status().Matches(info)[0];
        Match created = Status().Matches(info[info.IndexOf("read back", StringComparison.Ordinal)..])[0];
        long Field(Match of, int group) => long.Parse(of.Groups[group].Value);
        Superblock head = metadata.Head;
        Assert.False(metadata.IsOurs);
        Assert.Equal(set.StartsWith("v2", StringComparison.Ordinal) ? 2 : 1, head.Version);
        Assert.Equal(Field(created, 1), metadata.UsedMetadataBlocks);
        Assert.Equal(Field(created, 2), metadata.MetadataBlocks);
        Assert.Equal(Field(created, 3), head.BlockSectors);
        Assert.Equal(Field(created, 5), head.Places);
        ulong[] mappings = image.Mappings(metadata);
        Assert.Equal(Field(created, 4), mappings.LongCount(static word => new Mapping(word).IsValid));
        Assert.Equal(info.Contains("sysrq-b", StringComparison.Ordinal) && !set.Contains("resume"), !head.IsClean);
        Assert.Equal(Field(created, 6), head.ReadHits);
        Assert.Equal(Field(created, 7), head.ReadMisses);
        Assert.False(head.NeedsCheck);
        Assert.NotNull(status);
        if (head.IsClean) Assert.Equal(Field(created, 8), Dirty(image, metadata, mappings));
        Assert.Equal(head.IsClean ? ("smq", 4u) : ("", 0u), (head.PolicyName, head.HintBytes));
        Assert.Equal(head.IsClean ? (int)head.Places : 0, image.Hints(metadata).Length);
    }

    private static long Dirty(MetadataImage image, CacheMetadata metadata, ulong[] mappings) =>
        metadata.Head.Version == 1 ? mappings.LongCount(static word => new Mapping(word).IsDirty)
            : image.DirtyWords(metadata).Sum(static word => (long)ulong.PopCount(word));

    [Theory]
    [MemberData(nameof(Sets))]
    public void WhatIsWrittenUnchangedIsWhatWasThere(string set)
    {
        MetadataImage image = MetadataImage.OfKernel(set), before = image.Copy();
        using CacheMetadata metadata = image.Open();
        Assert.False(metadata.HasChanges);
        image.Commit(metadata);
        Assert.Equal(before.Bytes, image.Bytes);
    }

    [Theory]
    [MemberData(nameof(Sets))]
    public void BlocksAreListedInOrder(string set)
    {
        MetadataImage image = MetadataImage.OfKernel(set);
        using CacheMetadata metadata = image.Open();
        List<ArrayBlock> blocks = [];
        image.Run(metadata, () => metadata.TryListBlocks(CacheArray.Mappings, blocks));
        Assert.Equal(0, Assert.Single(blocks).First);
        blocks.Clear();
        image.Run(metadata, () => metadata.TryListBlocks(CacheArray.Hints, blocks));
        Assert.Equal(metadata.Head.HintBytes > 0 ? 1 : 0, blocks.Count);
    }

    // used/total metadata blocks, block size, used/total cache blocks, read hits, read misses, dirty
    [GeneratedRegex(
        @"STATUS created: \d+ \d+ cache 8 (\d+)/(\d+) (\d+) (\d+)/(\d+) (\d+) (\d+) \d+ \d+ \d+ \d+ (\d+) ")]
    private static partial Regex Status();
}

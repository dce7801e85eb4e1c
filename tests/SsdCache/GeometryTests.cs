using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.SsdCache.Format;
using Xunit;

namespace Weir.Tests.SsdCache;

/// <summary>Where sets, pages and places lie.</summary>
public sealed class GeometryTests
{
    [Theory]
    [InlineData(2 << 20, 4 << 10)]
    [InlineData((100L << 20) + 512, 4 << 10)]
    [InlineData(128L << 20, 64 << 10)]
    [InlineData(100L << 30, 128 << 10)]
    [InlineData(100L << 30, 1 << 20)]
    [InlineData(8L << 40, 4 << 10)]
    public void AsManySetsAsFitAreUsed(long cacheBytes, int blockBytes)
    {
        SsdGeometry geometry = SsdGeometry.For(cacheBytes, blockBytes);
        long setBytes = 16L * blockBytes;
        // One more set would need at most two more pages and no better alignment.
        Assert.InRange(cacheBytes - geometry.EndOffset, 0, setBytes + (2 * geometry.PageBytes) + (1 << 20));
        Assert.True(geometry.PageOffset(geometry.Pages - 1, 1) + geometry.PageBytes <= geometry.DataOffset);
        Assert.Equal(geometry.Sets - 1, geometry.FirstSetOf(geometry.Pages - 1) + geometry.SetsOf(geometry.Pages - 1)
            - 1);
        Assert.Equal(geometry.EndOffset - blockBytes, geometry.PlaceOffset(geometry.Slots - 1));
        Assert.True(SsdGeometry.IsPossible(blockBytes, geometry.Sets, geometry.DataOffset));
        SsdSuperblock superblock = SsdSuperblock.New(geometry, Guid.Empty, "c");
        Assert.Equal(geometry, SsdGeometry.Of(superblock));
    }

    [Fact]
    public void PlacesDoNotOverlapAndNeighboursOfAWayAreNeighbours()
    {
        SsdGeometry geometry = SsdGeometry.For(16 << 20, 128 << 10);
        HashSet<long> seen = [];
        for (uint slot = 0; slot < geometry.Slots; slot++)
        {
            long offset = geometry.PlaceOffset(slot);
            Assert.True(seen.Add(offset));
            Assert.InRange(offset, geometry.DataOffset, geometry.EndOffset - geometry.BlockBytes);
            bool hasNext = slot / 16 + 1 < geometry.Sets;
            if (hasNext) Assert.Equal(offset + geometry.BlockBytes, geometry.PlaceOffset(slot + 16));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(1000)]
    [InlineData(65536)]
    [InlineData(100_003)]
    public void SetsOfABlockAreInRangeAndNeverTheSameTwiceInARow(long wanted)
    {
        SsdGeometry geometry = SsdGeometry.For(8192 + 4096 + (wanted * (65536 + 4096)), 4096);
        Prng random = new(7);
        for (int i = 0; i < 20_000; i++)
        {
            uint block = i < 10 ? uint.MaxValue - 2 - (uint)i : (uint)random.Next();
            uint set = geometry.SetOf(block, 0), step = geometry.StepOf(block);
            Assert.Equal(block % geometry.Sets, set);
            for (int attempt = 1; attempt <= SsdGeometry.MaxAssoc; attempt++)
            {
                uint next = geometry.SetOf(block, attempt);
                Assert.True(next < geometry.Sets);
                Assert.Equal(next, geometry.NextSet(set, step));
                Assert.Equal(geometry.Sets == 1, next == set);
                set = next;
            }
        }
    }

    [Fact]
    public void TheLargestCacheHasSetsInRange()
    {
        SsdGeometry geometry = SsdGeometry.For(8L << 40, 4096);
        Assert.InRange(geometry.Sets, 1 << 26, 1 << 27);
        for (uint block = uint.MaxValue - 1; block > uint.MaxValue - 1000; block--)
            Assert.Equal(block % geometry.Sets, geometry.SetOf(block, 0));
        for (int attempt = 1; attempt <= SsdGeometry.MaxAssoc; attempt++)
            Assert.True(geometry.SetOf(uint.MaxValue - 1, attempt) < geometry.Sets);
    }

    [Theory]
    [InlineData(81919, 4096, "cache device: too small for a cache: 81919 bytes; expected at least 81920 "
        + "with blocks of 4 KiB")]
    [InlineData(1 << 20, 6144, "block size 6144 bytes: expected a power of two from 4 KiB to 1 MiB")]
    [InlineData(1 << 20, 2 << 20, "block size 2097152 bytes: expected a power of two from 4 KiB to 1 MiB")]
    [InlineData(16L << 40, 4096, "cache device: too large for blocks of 4 KiB: 17592186044416 bytes, expected room for "
        + "at most 2147483648 blocks; blocks of 8 KiB would do")]
    public void WhatCannotBeIsRefused(long cacheBytes, int blockBytes, string message) =>
        Assert.Equal(message,
            Assert.Throws<UserErrorException>(() => SsdGeometry.For(cacheBytes, blockBytes)).Message);

    [Fact]
    public void BlocksOfTheBackingDeviceFitATag()
    {
        SsdGeometry geometry = SsdGeometry.For(1 << 20, 4096);
        Assert.Equal(3, geometry.BlocksOf(8193));
        Assert.Equal(uint.MaxValue - 1, geometry.BlocksOf(4096L * (uint.MaxValue - 1)));
        Assert.Equal("d: too large for blocks of 4 KiB: 17592186036225 bytes are 4294967295 blocks, expected at most "
            + "4294967294; blocks of 8 KiB would do",
            Assert.Throws<UserErrorException>(() => geometry.BlocksOf((4096L * (uint.MaxValue - 1)) + 1, "d")).Message);
        Assert.EndsWith("no size of a block would do",
            Assert.Throws<UserErrorException>(() => geometry.BlocksOf(long.MaxValue)).Message);
    }
}

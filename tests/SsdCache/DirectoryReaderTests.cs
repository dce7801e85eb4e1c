using System;
using System.Collections.Generic;
using System.Linq;
using Weir.Core.Io;
using Weir.Core.SsdCache.Format;
using Weir.Core.SsdCache.Recovery;
using Xunit;

namespace Weir.Tests.SsdCache;

/// <summary>Which slot of a page counts, and what an intact page may not say.</summary>
public sealed unsafe class DirectoryReaderTests
{
    [Fact]
    public void TheNewerIntactSlotCounts()
    {
        using SsdImage image = SsdImage.InUse();
        Assert.Equal(["0: slot 1, 2, closed", "1: slot 0, 3, open", "2: slot 0, 1, closed"], Read(image));
        image.Page(1, 0)[100] ^= 1;
        Assert.Equal("1: slot 1, 2, closed, damage, in doubt", Read(image)[1]);
        image.Page(1, 1)[100] ^= 1;
        Assert.Equal("1: lost, damage", Read(image)[1]);
    }

    [Fact]
    public void ABlankSecondSlotIsNormalAndABlankPageIsLost()
    {
        using SsdImage image = SsdImage.InUse();
        Assert.Equal("2: slot 0, 1, closed", Read(image)[2]);
        new Span<byte>(image.Page(2, 0), image.Geometry.PageBytes).Clear();
        Assert.Equal("2: lost", Read(image)[2]);
    }

    /// <summary>A power cut may have torn the newer slot; after an orderly stop it has rotten.</summary>
    [Fact]
    public void ADamagedSlotIsInDoubtAfterAnOrderlyStopOnly()
    {
        using SsdImage image = SsdImage.InUse(isClean: false);
        image.Page(0, 1)[4000] ^= 1;
        Assert.Equal("0: slot 0, 1, closed, damage", Read(image)[0]);
        image.Superblock.Flags = SsdSuperblock.CleanFlag;
        image.WriteSuperblocks();
        Assert.Equal("0: slot 0, 1, closed, damage, in doubt", Read(image)[0]);
    }

    /// <summary>The header of the damaged slot still shows that it is the older one.</summary>
    [Fact]
    public void ADamagedOlderSlotIsNoDoubt()
    {
        using SsdImage image = SsdImage.InUse();
        image.Page(0, 0)[4000] ^= 1;
        Assert.Equal("0: slot 1, 2, closed, damage", Read(image)[0]);
        image.Page(0, 0)[0] ^= 1;
        Assert.Equal("0: slot 1, 2, closed, damage, in doubt", Read(image)[0]);
    }

    [Fact]
    public void APageOfAnotherCacheOrPlaceOrOfALaterLifeDoesNotCount()
    {
        using SsdImage image = SsdImage.InUse(isClean: false);
        new Span<byte>(image.Page(0, 1), 4096).CopyTo(new Span<byte>(image.Page(2, 1), 4096));
        Assert.Equal("2: slot 0, 1, closed, damage", Read(image)[2]);
        image.Superblock.Epoch = 2;
        image.WriteSuperblocks();
        Assert.All(Read(image), page => Assert.Contains("lost", page, StringComparison.Ordinal));
    }

    [Fact]
    public void WhatCannotBeReadIsThatSlotAlone()
    {
        using SsdImage image = SsdImage.InUse();
        BadBlocks device = new(image.Device);
        device.Offsets.Add(image.Geometry.PageOffset(1, 0));
        Assert.Equal(["0: slot 1, 2, closed", "1: slot 1, 2, closed, damage, in doubt", "2: slot 0, 1, closed"],
            Read(image, device));
    }

    [Theory]
    [InlineData(4096, 3000)]
    [InlineData(1 << 20, 40)]
    public void LargeDirectoriesComeInParts(int blockBytes, int sets)
    {
        using SsdImage image = new(sets, blockBytes);
        Assert.True(image.Geometry.Pages * image.Geometry.PageBytes > 300_000);
        Assert.Equal(Enumerable.Range(0, image.Geometry.Pages).Select(page => $"{page}: slot 0, 1, closed"),
            Read(image));
    }

    [Fact]
    public void EachThingThatCannotBeIsFound()
    {
        using SsdImage image = SsdImage.InUse();
        Assert.Null(Fault(image, page => image.Set(page, 5, 0)));
        Assert.Equal("it is free, and not all zero",
            Fault(image, page => DirectoryPage.ValidOf((byte*)page, image.Geometry, 5)[0] = 1));
        Assert.Equal("unknown flags 8", Fault(image, page =>
        {
            image.Set(page, 5, 0);
            ((byte*)page)[64 + (5 * 24) + 4] = 8;
        }));
        Assert.Equal("block 300 is past the end of the backing device, of 300 blocks",
            Fault(image, page => image.Set(page, 5, 300)));
        uint elsewhere = Enumerable.Range(0, 300).Select(static block => (uint)block)
            .First(block => Enumerable.Range(0, 5).All(attempt => image.Geometry.SetOf(block, attempt) != 0));
        Assert.Equal($"block {elsewhere} would not be looked for in this set",
            Fault(image, page => image.Set(page, 5, elsewhere)));
        Assert.Equal("block 0 has 8 sectors, and more are valid",
            Fault(image, page => image.Set(page, 5, 0, valid: 0x1ff)));
        Assert.Equal("block 0 has 1 times 4 KiB, and more are dirty",
            Fault(image, page => image.Set(page, 5, 0, dirty: 2)));
        Assert.Equal("block 0: its 4 KiB 0 are dirty, and no sector of them is here",
            Fault(image, page => image.Set(page, 5, 0, valid: 0, dirty: 1)));
    }

    [Fact]
    public void TheLastBlockHasFewerSectors()
    {
        using SsdImage image = new(sets: 300 + 16);
        int last = SsdImage.BackingBlocks - 1, page = image.Geometry.PageOf((uint)last);
        int entry = (last - (int)image.Geometry.FirstSetOf(page)) * 16;
        image.Write(page, 1, 2, to => image.Set(to, entry, (uint)last, valid: 7, dirty: 1));
        EntryCheck check = new(image.Geometry, image.Superblock);
        Assert.Null(check.FaultOf(image.Page(page, 1), page, entry));
        image.Write(page, 1, 2, to => image.Set(to, entry, (uint)last, valid: 15));
        Assert.Equal($"block {last} has 3 sectors, and more are valid",
            check.FaultOf(image.Page(page, 1), page, entry));
    }

    [Fact]
    public void ABlockAtTwoPlacesIsFoundInAllItsSets()
    {
        SsdGeometry geometry = new SsdImage().Geometry;
        for (uint block = 0; block < 100; block++)
            for (int attempt = 0; attempt <= 4; attempt++)
            {
                using TagTable tags = new(geometry, assoc: 4);
                uint first = (geometry.SetOf(block, 0) * 16) + 3, second = (geometry.SetOf(block, attempt) * 16) + 9;
                Assert.Equal(TagTable.None, tags.Find(block));
                tags.Add(second, block, isDirty: true);
                tags.Add(first + 1, block + 1);
                Assert.Equal(second, tags.Find(block));
                Assert.Equal((true, false), (tags.IsDirty(second), tags.IsDirty(first + 1)));
                tags.Remove(second);
                tags.Add(first, block);
                Assert.Equal(first, tags.Find(block));
            }
    }

    private static string? Fault(SsdImage image, Action<IntPtr> fill)
    {
        image.Write(0, 1, 2, fill);
        return new EntryCheck(image.Geometry, image.Superblock).FaultOf(image.Page(0, 1), 0, 5);
    }

    private static List<string> Read(SsdImage image, Device? device = null)
    {
        List<string> pages = [];
        using MemoryContext context = new();
        BlockingIo io = new(context);
        SsdSuperblock superblock = SuperblockPair.Read(io, device ?? image.Device).Chosen();
        using DirectoryReader reader = new(io, device ?? image.Device, superblock);
        reader.Run((in FoundPage page) => pages.Add($"{page.Number}: "
            + (page.IsLost ? "lost"
                : $"slot {page.Chosen}, {page.Sequence}, " + (DirectoryPage.IsOpen(page.Image) ? "open" : "closed"))
            + (page.HasDamage ? ", damage" : "") + (page.IsInDoubt ? ", in doubt" : "")));
        return pages;
    }
}

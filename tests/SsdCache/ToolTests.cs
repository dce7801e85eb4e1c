using System;
using System.Collections.Generic;
using System.Linq;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.SsdCache.Format;
using Xunit;

namespace Weir.Tests.SsdCache;

/// <summary>format, check, dump and repair on images whose content is known.</summary>
public sealed unsafe class ToolTests
{
    [Theory]
    [InlineData(4 << 10, 3 << 20)]
    [InlineData(128 << 10, 130 << 20)]
    [InlineData(1 << 20, 40 << 20)]
    public void AFormattedDeviceIsASoundEmptyCache(int blockBytes, long bytes)
    {
        using RamDevice device = new(bytes);
        new Span<byte>(device.Start, (int)bytes).Fill(0x5a);
        SsdGeometry geometry = SsdGeometry.For(bytes, blockBytes);
        string said = SsdTools.Format(new KeptDevice(device), blockBytes);
        Assert.StartsWith($"{geometry.Sets} sets of 16 blocks of ", said, StringComparison.Ordinal);
        CheckItems found = SsdTools.Check(new KeptDevice(device));
        Assert.Empty(found.Problems);
        Assert.Equal((geometry.Pages, 0, 0), (found.Numbers["pages"], found.Numbers["cached_blocks"],
            found.Numbers["open_pages"]));
        Assert.Contains("orderly", found.Texts);
        // Other formats begin up to here.
        ReadOnlySpan<byte> behind = new(device.Start + geometry.PageOffset(0, 1), 600_000);
        Assert.False(behind.ContainsAnyExcept((byte)0));
    }

    /// <summary>Interrupted anywhere, it has left a cache or none.</summary>
    [Fact]
    public void AFormatThatIsCutLeavesNoCacheOrAWholeOne()
    {
        int refused = 0;
        for (int cut = 0; ; cut++)
        {
            using SsdImage image = SsdImage.InUse();
            bool isDone = !Fails(() => SsdTools.Format(image.TornAfter(cut), 4096));
            if (isDone) break;
            List<string> problems = SsdTools.Check(image.Device).Problems;
            if (problems.Any(static text => text.Contains("no superblock found", StringComparison.Ordinal))) refused++;
            else Assert.DoesNotContain(problems, static text => text.Contains("page", StringComparison.Ordinal));
        }
        Assert.True(refused > 3);
    }

    [Fact]
    public void CheckCountsWhatIsThere()
    {
        using SsdImage image = SsdImage.InUse();
        CheckItems found = SsdTools.Check(image.Device);
        Assert.Empty(found.Problems);
        // Page 0: sets 0 to 9, blocks b of 40 with b mod sets below 10; page 1 is open.
        int sets = (int)image.Geometry.Sets;
        int[] closed = [.. Enumerable.Range(0, 40).Where(block => block % sets < 10)];
        int[] open = [.. Enumerable.Range(0, 40).Where(block => block % sets is >= 10 and < 20)];
        Assert.Equal(closed.Length + open.Count(static block => block % 3 == 0), found.Numbers["cached_blocks"]);
        Assert.Equal(closed.Concat(open).Count(static block => block % 3 == 0), found.Numbers["dirty_blocks"]);
        Assert.Equal(4096 * found.Numbers["dirty_blocks"], found.Numbers["dirty_bytes"]);
        Assert.Equal(open.Count(static block => block % 3 != 0), found.Numbers["forgotten_blocks"]);
        Assert.Equal((1, 0), (found.Numbers["open_pages"], found.Numbers["lost_pages"]));
    }

    [Fact]
    public void DumpShowsPagesAndEntries()
    {
        using SsdImage image = SsdImage.InUse();
        uint block = 20 + (5 * (uint)image.Geometry.Sets);
        image.Write(2, 1, 2, page => image.Set(page, 3, block, valid: 0xb7, dirty: 1, hint: 9));
        ItemLines lines = SsdTools.Dump(image.Device);
        Assert.Equal(2, lines.Of("superblock").Count());
        Assert.Contains("page page=1 slot_0=intact slot_1=intact slot=0 sequence=3 epoch=3 state=open", lines.Lines);
        Assert.Contains("page page=2 slot_0=intact slot_1=intact slot=1 sequence=2 epoch=3 state=closed", lines.Lines);
        Assert.Contains($"entry set=20 way=3 block={block} hint=9 valid_sectors=0-2,4-5,7 "
            + "dirty_units=0", lines.Lines);
        Assert.Contains("mode=writeback block_size_bytes=4096", lines.Lines[0], StringComparison.Ordinal);
    }

    [Fact]
    public void ABlockAtTwoPlacesIsAProblemOnlyWhereBothCount()
    {
        using SsdImage image = SsdImage.InUse();
        image.Write(0, 0, 3, page =>
        {
            image.FillPage(page, 0, 40);
            image.Set(page, 8, 0);
        });
        Assert.Equal(["page 0, in set 0 way 8: block 0 is in set 0 way 0 too"], SsdTools.Check(image.Device).Problems);
        image.Write(0, 0, 3, page =>
        {
            image.FillPage(page, 0, 40);
            image.Set(page, 8, 0);
        }, isOpen: true);
        Assert.Empty(SsdTools.Check(image.Device).Problems);
    }

    [Fact]
    public void NothingToRepairWritesNothing()
    {
        using SsdImage image = SsdImage.InUse();
        byte[] before = image.Metadata.ToArray();
        (bool isDecided, List<string> texts) = SsdTools.Repair(image.Device);
        Assert.True(isDecided);
        Assert.Equal(["nothing to repair"], texts);
        Assert.Equal(before, image.Metadata.ToArray());
    }

    [Fact]
    public void ARottenPageIsRebuiltFromItsOlderSlotWithWhatIsDirtyThere()
    {
        using SsdImage image = SsdImage.InUse();
        image.Page(1, 0)[70] ^= 4;
        string problem = Assert.Single(SsdTools.Check(image.Device).Problems);
        Assert.StartsWith("page 1, sets 10 to 19: slot 0 is damaged, and may have been the newer one", problem,
            StringComparison.Ordinal);
        byte[] before = image.Metadata.ToArray();
        Assert.Contains("nothing was written; --write does it", SsdTools.Repair(image.Device, write: false).Texts);
        Assert.Equal(before, image.Metadata.ToArray());
        (bool isDecided, List<string> texts) = SsdTools.Repair(image.Device);
        Assert.True(isDecided);
        Assert.Contains(texts, static text => text.Contains(
            "of the older one, 3 dirty blocks are kept, and 7 clean ones are forgotten", StringComparison.Ordinal));
        CheckItems found = SsdTools.Check(image.Device);
        Assert.Empty(found.Problems);
        ItemLines lines = SsdTools.Dump(image.Device);
        Assert.Contains("page page=1 slot_0=intact slot_1=intact slot=0 sequence=3 epoch=3 state=open", lines.Lines);
        foreach (uint block in (uint[])[12, 15, 18])
            Assert.Contains($"entry set={block} way=0 block={block} hint={block} valid_sectors=0-7 dirty_units=0",
                lines.Lines);
    }

    /// <summary>After a power cut the same damage is a write that was cut: nothing is forgotten.</summary>
    [Fact]
    public void ATornPageIsWrittenAnewAsItWas()
    {
        using SsdImage image = SsdImage.InUse(isClean: false);
        image.Page(0, 0)[70] ^= 4;
        Assert.Empty(SsdTools.Check(image.Device).Problems);
        List<string> entries = [.. SsdTools.Dump(image.Device).Of("entry")];
        SsdTools.Repair(image.Device);
        Assert.Contains("page page=0 slot_0=intact slot_1=intact slot=0 sequence=3 epoch=3 state=closed",
            SsdTools.Dump(image.Device).Lines);
        Assert.Equal(entries, SsdTools.Dump(image.Device).Of("entry"));
    }

    [Theory]
    [InlineData(SsdMode.Writeback, true)]
    [InlineData(SsdMode.Writethrough, false)]
    [InlineData(SsdMode.Readcache, false)]
    [InlineData((SsdMode)0, false)]
    internal void ALostPageMayHoldDirtyDataInWritebackOnly(SsdMode mode, bool mustDecide)
    {
        using SsdImage image = SsdImage.InUse(mode);
        image.Page(0, 0)[70] ^= 4;
        image.Page(0, 1)[70] ^= 4;
        byte[] before = image.Metadata.ToArray();
        (bool isDecided, List<string> texts) = SsdTools.Repair(image.Device);
        Assert.Equal(!mustDecide, isDecided);
        Assert.Equal(mustDecide, texts.Contains(
            "page 0, sets 0 to 9: no slot is intact (is damaged, is damaged): what it named is lost, "
                + "dirty blocks too"));
        if (mustDecide) Assert.Equal(before, image.Metadata.ToArray());
        Assert.True(SsdTools.Repair(image.Device, dropsLost: true).IsDecided);
        Assert.Empty(SsdTools.Check(image.Device).Problems);
        Assert.Contains("page page=0 slot_0=intact slot_1=blank slot=0 sequence=1 epoch=3 state=closed",
            SsdTools.Dump(image.Device).Lines);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4096)]
    public void ADamagedSuperblockCopyIsRestored(int at)
    {
        using SsdImage image = SsdImage.InUse();
        image.At(at)[50] ^= 1;
        Assert.Single(SsdTools.Check(image.Device).Problems);
        SsdTools.Repair(image.Device);
        Assert.Empty(SsdTools.Check(image.Device).Problems);
        Assert.Equal(new ReadOnlySpan<byte>(image.At(0), 4096), new ReadOnlySpan<byte>(image.At(4096), 4096));
        Assert.True(((SsdSuperblock*)image.At(0))->IsClean);
    }

    [Theory]
    [InlineData(false, false, 0)]
    [InlineData(false, true, 1)]
    [InlineData(true, false, 1)]
    [InlineData(true, true, 1)]
    public void OfTwinsTheDirtyOneStays(bool isFirstDirty, bool isSecondDirty, int left)
    {
        using SsdImage image = SsdImage.InUse();
        image.Write(0, 0, 3, page =>
        {
            image.Set(page, 1, 0, dirty: isFirstDirty ? 1u : 0);
            image.Set(page, 8, 0, dirty: isSecondDirty ? 1u : 0);
        });
        bool mustDecide = isFirstDirty && isSecondDirty;
        Assert.Equal(!mustDecide, SsdTools.Repair(image.Device).IsDecided);
        if (mustDecide) Assert.True(SsdTools.Repair(image.Device, dropsLost: true).IsDecided);
        Assert.Empty(SsdTools.Check(image.Device).Problems);
        string[] entries = [.. SsdTools.Dump(image.Device).Of("entry set=0")];
        Assert.Equal(left, entries.Length);
        if (left == 1) Assert.Contains(isFirstDirty ? "way=1" : "way=8", entries[0], StringComparison.Ordinal);
    }

    /// <summary>Cut anywhere, it can be started again, and what counted before is still there.</summary>
    [Fact]
    public void ARepairThatIsCutLosesNothing()
    {
        bool isDone = false;
        for (int cut = 0; !isDone; cut++)
        {
            using SsdImage image = Repairable(out string mended);
            string[] before = EntriesBut(image, mended);
            // What cannot be read is lost for it, and then it does nothing by itself.
            bool isDecided = false;
            isDone = !Fails(() => isDecided = SsdTools.Repair(image.TornAfter(cut)).IsDecided) && isDecided;
            Assert.Equal(before, EntriesBut(image, mended));
            SsdTools.Repair(image.Device);
            Assert.Empty(SsdTools.Check(image.Device).Problems);
            Assert.Equal(before, EntriesBut(image, mended));
            Assert.True(cut < 100);
        }
    }

    // Damage of every kind that costs nothing; an entry in the second half of a page changes when it is mended.
    private static SsdImage Repairable(out string mended)
    {
        SsdImage image = SsdImage.InUse(isClean: false);
        uint block = 9 + (6 * (uint)image.Geometry.Sets);
        image.Write(0, 1, 2, page =>
        {
            image.FillPage(page, 0, 40);
            image.Set(page, (9 * 16) + 15, block, valid: 0x1ff);
        });
        image.Page(0, 0)[70] ^= 4;
        image.Page(1, 1)[70] ^= 4;
        image.At(0)[50] ^= 1;
        mended = $"block={block} ";
        return image;
    }

    private static string[] EntriesBut(SsdImage image, string mended) => [.. SsdTools.Dump(image.Device).Of("entry")
        .Where(line => !line.Contains(mended, StringComparison.Ordinal))];

    private static bool Fails(Action run)
    {
        try
        {
            run();
            return false;
        }
        catch (UserErrorException)
        {
            return true;
        }
    }
}

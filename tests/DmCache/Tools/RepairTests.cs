using System;
using System.Collections.Generic;
using System.Linq;
using Weir.Core.DmCache;
using Weir.Core.DmCache.Format;
using Weir.Tests.DmCache.Format;
using Xunit;

namespace Weir.Tests.DmCache.Tools;

/// <summary>Repair mends what it can, and never makes dirty blocks clean.</summary>
public sealed class RepairTests
{
    [Theory]
    [InlineData("unknown flag", false)]
    [InlineData("two places for a home", true)]
    [InlineData("past the end", true)]
    [InlineData("counted twice", false)]
    [InlineData("dirty past the end", false)]
    [InlineData("fewer entries", true)]
    [InlineData("a mapping block", true)]
    [InlineData("a node", true)]
    [InlineData("a hint block", false)]
    [InlineData("leaked", false)]
    [InlineData("not counted", false)]
    [InlineData("a bitmap", false)]
    [InlineData("dirty, and nothing is there", false)]
    public void WhatIsDamagedIsMended(string damage, bool mustDecide)
    {
        foreach (string set in (string[])["v2-wb-resume-crash"])
        {
            MetadataImage image = MetadataImage.OfKernel(set);
            Damage.Do(image, damage);
            MetadataImage before = image.Copy();
            Assert.Equal(!mustDecide, OfflineTools.Repair(image, write: false).IsDecided);
            Assert.Equal(before.Bytes, image.Bytes);
            Assert.Equal(!mustDecide, OfflineTools.Repair(image).IsDecided);
            if (mustDecide) Assert.Equal(before.Bytes, image.Bytes);
            Assert.True(OfflineTools.Repair(image, dropsLost: true).IsDecided);
            Assert.Empty(OfflineTools.Check(image).Problems);
            foreach (Judge judge in Judge.Both) judge.Accepts(image);
            Assert.Equal(References.Of(image), References.Counted(image));
            Assert.Equal(["nothing to repair"], OfflineTools.Repair(image).Texts);
        }
    }

    [Fact]
    public void WhatIsWholeIsKeptAsItWas()
    {
        for (ulong seed = 401; seed < 407; seed++)
        {
            using CacheModel model = new(seed);
            for (int step = 0; step < 300; step++) model.Step();
            // Metadata without hints get hints that are zero, so that the judges can read them.
            if (model.Head.HintBytes == 0)
                model.Image.Run(model.Metadata, () => model.Metadata.TryBeginHints("random", 4, (1, 0, 0)));
            model.Commit();
            string before = OfflineTools.Dump(model.Image, withDiscards: true);
            MetadataImage image = model.Image.Copy();
            Damage.Do(image, "leaked");
            Assert.True(OfflineTools.Repair(image).IsDecided);
            Assert.Equal(before, OfflineTools.Dump(image, withDiscards: true));
            using CacheMetadata metadata = image.Open();
            Assert.Equal(model.Head.Version, metadata.Head.Version);
            Assert.Equal(model.Head.IsClean, metadata.Head.IsClean);
            Assert.True(metadata.Head.Mark is { IsInDoubt: true });
            Assert.Equal(References.Of(image), References.Counted(image));
        }
    }

    [Theory]
    [InlineData(DmCacheMutant.None, 195)]
    [InlineData(DmCacheMutant.RepairForgetsDirty, 0)]
    public void DirtyBitsThatCannotBeReadCountAsSet(DmCacheMutant mutant, long dirty)
    {
        using MutantScope broken = new(mutant);
        MetadataImage image = MetadataImage.OfKernel("v2-wb-resume-crash");
        long root = BitConverter.ToInt64(image.Block(0)[284..]);
        image.Block(root)[2000] ^= 1;
        Assert.True(OfflineTools.Repair(image).IsDecided);
        CheckItems items = OfflineTools.Check(image);
        Assert.Empty(items.Problems);
        Assert.Equal(dirty, items.Numbers["dirty_blocks"]);
    }

    [Fact]
    public void TheFlagOfAFailedCommitGoesWhenAllIsWell()
    {
        MetadataImage image = MetadataImage.OfKernel("v1-wb-clean");
        string before = OfflineTools.Dump(image);
        image.Block(0)[4] = 2;
        image.Seal(0, DiskSuperblock.Kind);
        Assert.True(OfflineTools.Repair(image, write: false).IsDecided);
        Assert.Equal(2, image.Block(0)[4]);
        Assert.True(OfflineTools.Repair(image).IsDecided);
        // Nor is what was interrupted taken for clean.
        Assert.Equal(0, image.Block(0)[4]);
        Assert.Equal(before, OfflineTools.Dump(image));
    }

    [Fact]
    public void ARepairThatIsInterruptedHasChangedNothing()
    {
        MetadataImage image = MetadataImage.OfKernel("v1-wb-clean");
        Damage.Do(image, "leaked");
        MetadataImage before = image.Copy();
        OfflineTools.Repair(image);
        HashSet<long> changed = [.. Enumerable.Range(1, (int)image.Blocks - 1).Select(static block => (long)block)
            .Where(block => !image.Block(block).SequenceEqual(before.Block(block)))];
        int[] used = References.Of(before);
        Assert.NotEmpty(changed);
        Assert.DoesNotContain(changed, block => used[block] > 0);
    }
}

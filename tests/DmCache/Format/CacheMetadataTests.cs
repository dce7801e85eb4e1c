using System;
using Weir.Core.Base;
using Weir.Core.DmCache.Format;
using Weir.Core.Metadata.Persistent;
using Weir.Tests.DmCache.Tools;
using Xunit;

namespace Weir.Tests.DmCache.Format;

/// <summary>Random changes beside a model, with thin-provisioning-tools as judges.</summary>
public sealed class CacheMetadataTests
{
    private const int Runs = 20, CommitsOfARun = 12, StepsOfACommit = 60;

    [Fact]
    public void RandomChangesReadAsTheyWereMadeAndTheJudgesAcceptThem()
    {
        for (ulong seed = 1; seed <= Runs; seed++)
        {
            using CacheModel model = new(seed);
            for (int commit = 0; commit < CommitsOfARun; commit++)
            {
                for (int step = 0; step < StepsOfACommit; step++) model.Step();
                model.Commit();
                model.CheckAll();
                if (commit % 3 == 0) model.Reopen();
            }
            foreach (Judge judge in Judge.Both) judge.Accepts(model.Image);
        }
    }

    [Theory]
    [InlineData(SharedMutant.None, 0)]
    [InlineData(SharedMutant.B6FreedReused, 1)]
    public void ACommitThatEndsAnywhereLeavesTheStateBefore(SharedMutant mutant, int leastBroken)
    {
        int broken = 0;
        using MutantScope scope = new(mutant);
        for (ulong seed = 101; seed < 104; seed++)
        {
            using CacheModel model = new(seed);
            for (int step = 0; step < 200; step++) model.Step();
            model.Commit();
            for (int step = 0; step < 100; step++) model.Step();
            broken += CrashesThatBreak(model);
        }
        Assert.InRange(broken, leastBroken, leastBroken == 0 ? 0 : int.MaxValue);
    }

    [Theory]
    [InlineData(SharedMutant.None, true)]
    [InlineData(SharedMutant.D19TailKept, false)]
    public void AShrunkArrayKeepsNothingBehindItsEnd(SharedMutant mutant, bool isRight)
    {
        using MutantScope scope = new(mutant);
        try
        {
            MetadataImage image = MetadataImage.Blank(1024);
            using CacheMetadata metadata = CacheMetadata.Create(new CacheShape(2, 64, 1100, 1024), 64);
            for (uint place = 0; place < 1100; place++)
                image.Run(metadata, () => metadata.TrySetMapping(place, Mapping.WordOf(place)));
            image.Commit(metadata);
            foreach (uint places in (uint[])[1018, 509, 508])
            {
                image.Run(metadata, () => metadata.TryResize(places));
                image.Commit(metadata);
            }
            image.Run(metadata, () => metadata.TryResize(1100));
            image.Commit(metadata);
            bool isEmpty = Array.TrueForAll(image.Mappings(metadata)[508..], static word => word == 0);
            Assert.Equal(isRight, isEmpty && !Judge.New.Refuses(image));
        }
        catch (DamagedMetadataException) when (!isRight)
        {
        }
    }

    /// <summary>After a commit that failed the last good one is there, and can say that a check is needed.</summary>
    [Fact]
    public unsafe void AFailedCommitEndsAllChanges()
    {
        using CacheModel model = new(105);
        for (int step = 0; step < 100; step++) model.Step();
        model.Commit();
        string before = Read(model.Image);
        for (int step = 0; step < 50; step++) model.Step();
        MetadataImage image = model.Image;
        before = Read(image);
        CacheMetadata metadata = model.Metadata;
        image.Run(metadata, metadata.TryPrepareCommit);
        Write(metadata, image, metadata.WriteCount);
        metadata.EndCommit(succeeded: false);
        Assert.ThrowsAny<Exception>(() => metadata.TrySetMapping(0, 0));
        Assert.Equal((int)metadata.Head.Places, image.Mappings(metadata).Length);
        new ReadOnlySpan<byte>(metadata.SuperblockThatNeedsCheck, MetadataImage.BlockBytes).CopyTo(image.Block(0));
        Assert.Equal(before, Read(image));
        using CacheMetadata opened = image.Open();
        Assert.True(opened.Head.NeedsCheck);
        Assert.True(opened.IsOurs);
    }

    /// <summary>A block that is counted once too often is lost, not more.</summary>
    [Fact]
    public void MetadataThatLeakAreServed()
    {
        MetadataImage image = MetadataImage.OfKernel("v2-wb-resume-crash");
        Damage.Do(image, "counted twice");
        using CacheMetadata metadata = image.Open();
        image.Run(metadata, () => metadata.TrySetMapping(255, Mapping.WordOf(1999)));
        image.Commit(metadata);
        using CacheMetadata again = image.Open();
        Assert.Equal(Mapping.WordOf(1999), image.Mappings(again)[255]);
    }

    /// <summary>Bits past the end are nothing when they come to lie before it.</summary>
    [Fact]
    public void WhatLiesPastTheEndStaysDeadWhenTheEndMoves()
    {
        MetadataImage image = MetadataImage.Blank(200);
        using (CacheMetadata made = CacheMetadata.Create(new CacheShape(2, 64, 100, 200), 64)) image.Commit(made);
        Damage.Do(image, "dirty past the end");
        using CacheMetadata metadata = image.Open();
        image.Run(metadata, () => metadata.TryResize(128));
        Assert.Equal([0, 0], image.DirtyWords(metadata));
    }

    /// <summary>What does not fit is refused before anything is changed.</summary>
    [Fact]
    public void FullMetadataAreAsTheyWere()
    {
        MetadataImage image = MetadataImage.Blank(64);
        using CacheMetadata metadata = CacheMetadata.Create(new CacheShape(2, 64, 1000, 64), 64);
        image.Commit(metadata);
        string before = Read(image);
        Assert.Throws<MetadataFullException>(() => metadata.TryResize(100_000));
        Assert.Throws<MetadataFullException>(() => image.Run(metadata, () => metadata.TryResizeDiscards(8, 4 << 20)));
        image.Commit(metadata);
        Assert.Equal(before, Read(image));
        Assert.Throws<MetadataFullException>(
            () => CacheMetadata.Create(new CacheShape(2, 64, 1000, 16), 64));
        Judge.New.Accepts(image);
    }

    // At each block of the commit: what does the superblock that is still there name?
    private static int CrashesThatBreak(CacheModel model)
    {
        MetadataImage before = model.Image.Copy();
        string expected = Read(before);
        CacheMetadata metadata = model.Metadata;
        model.Image.Run(metadata, metadata.TryPrepareCommit);
        int broken = 0;
        for (int writes = 0; writes <= metadata.WriteCount; writes++)
        {
            MetadataImage crashed = before.Copy();
            Write(metadata, crashed, writes);
            if (Read(crashed) != expected) broken++;
            else Assert.Equal(References.Of(crashed), References.Counted(crashed));
        }
        return broken;
    }

    private static unsafe void Write(CacheMetadata metadata, MetadataImage image, int writes)
    {
        for (int i = 0; i < writes; i++)
        {
            long block = metadata.BlockToWrite(i, out byte* from);
            new ReadOnlySpan<byte>(from, MetadataImage.BlockBytes).CopyTo(image.Block(block));
        }
    }

    private static string Read(MetadataImage image)
    {
        try
        {
            using CacheMetadata metadata = image.Open();
            return string.Join(',', image.Mappings(metadata)) + '|' + string.Join(',', image.Hints(metadata)) + '|'
                + string.Join(',', image.DiscardWords(metadata)) + '|'
                + (metadata.Head.Version == 2 ? string.Join(',', image.DirtyWords(metadata)) : "");
        }
        catch (DamagedMetadataException damage)
        {
            return damage.Message;
        }
    }
}

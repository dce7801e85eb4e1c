using FsCheck;
using FsCheck.Fluent;
using Weir.Core.Base;
using Weir.Core.SsdCache;
using Weir.Core.SsdCache.Format;
using Weir.Core.SsdCache.Sets;
using Xunit;

namespace Weir.Tests.SsdCache.Sets;

/// <summary>The directory beside a plain model of it, step by step.</summary>
public sealed unsafe class SetTableTests
{
    private const int Steps = 300;

    [Theory]
    [InlineData(4 << 10, 1, 0)]
    [InlineData(4 << 10, 3, 4)]
    [InlineData(16 << 10, 2, 1)]
    [InlineData(128 << 10, 2, 4)]
    [InlineData(1 << 20, 1, 4)]
    public void ActsAsAPlainModel(int blockBytes, int sets, int assoc) =>
        Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed =>
        {
            using SetModel model = new(blockBytes, sets, assoc, (ulong)seed);
            for (int step = 0; step < Steps; step++) model.Step();
            model.CheckAll();
        }).QuickCheckThrowOnFailure();

    /// <summary>Else a write over such a sector finds nothing new, and a power cut forgets it after its flush (B6).
    /// </summary>
    [Fact]
    public void WhatComesIntoADirtyUnitHasToBeNamed()
    {
        using SetTable table = new(SetModel.GeometryOf(8192, 1), 4, null);
        _ = table.TryTake(7, mayEvict: true, null, 1, out uint slot);
        Assert.True(table.SetValidDirty(slot, 0, 2));
        Assert.False(table.SetValid(slot, 8, 8));
        Assert.True(table.SetValid(slot, 2, 1));
        Assert.False(table.SetValid(slot, 0, 3));
        Assert.False(table.SetDirty(slot, 2, 1));
        Assert.False(table.SetValidDirty(slot, 2, 1));
    }

    [Fact]
    public void ABlockComesInOnceAndStaysWhileItIsPinned()
    {
        SsdGeometry geometry = SetModel.GeometryOf(4096, 1);
        using SetTable table = new(geometry, 4, null);
        Assert.Equal(-1, table.FindAndPin(7));
        Assert.Equal(TakeResult.Free, table.TryTake(7, mayEvict: true, null, 1, out uint slot));
        Assert.Equal(TakeResult.Found, table.TryTake(7, mayEvict: true, null, 1, out uint again));
        Assert.Equal(slot, again);
        table.Unpin(slot);
        Bring(table, 100, 200);
        Assert.Equal((int)slot, table.FindAndPin(7));
        table.Unpin(slot);
        table.Unpin(slot);
        Bring(table, 200, 300);
        Assert.False(table.Has(7));
        Assert.Equal(16, table.UsedCount);
    }

    [Fact]
    public void OnlyOpenPagesChange()
    {
        SsdGeometry geometry = SetModel.GeometryOf(128 << 10, 40);
        using SetTable table = new(geometry, 4, null);
        Pages pages = new(geometry.Pages);
        uint block = 3;
        Assert.Equal(TakeResult.Closed, table.TryTake(block, mayEvict: true, pages, 1, out _));
        Assert.Equal(0, table.UsedCount);
        pages.Open[geometry.PageOf(geometry.SetOf(block, 0))] = true;
        Assert.Equal(TakeResult.Free, table.TryTake(block, mayEvict: true, pages, 1, out uint slot));
        Assert.True(table.HasPins(geometry.PageOf(slot / SsdGeometry.Ways)));
        table.Unpin(slot);
        Assert.False(table.HasPins(geometry.PageOf(slot / SsdGeometry.Ways)));
        // Further sets in pages that are closed are passed by.
        for (uint other = block; other < 40_000; other += (uint)geometry.Sets)
            if (table.TryTake(other, mayEvict: true, pages, 2, out slot) != TakeResult.NoWay)
            {
                Assert.True(pages.Open[geometry.PageOf(slot / SsdGeometry.Ways)]);
                table.Unpin(slot);
            }
    }

    /// <summary>A page that closes between the choice and the pin keeps its ways.</summary>
    [Fact]
    public void AGateThatClosesInBetweenIsSeen()
    {
        SsdGeometry geometry = SetModel.GeometryOf(4096, 1);
        using SetTable table = new(geometry, 0, null);
        Assert.Equal(TakeResult.Closed, table.TryTake(1, mayEvict: true, new ClosesAfter(2), 1, out _));
        Assert.Equal(0, table.UsedCount);
        Assert.False(table.HasPins(0));
    }

    [Fact]
    public void WritesDecideWhetherWriteBackMadeItClean()
    {
        Assert.False(IsCleanAfterAWrite(SsdCacheMutant.None));
        Assert.True(IsCleanAfterAWrite(SsdCacheMutant.B4WrittenIgnored));
    }

    [Fact]
    public void WritersHomeAndWriteBackKeepOutOfEachOthersWay()
    {
        using SetTable table = Dirty(out uint slot);
        ulong units;
        Assert.True(table.BeginWrite(slot, goesHome: true));
        Assert.False(table.BeginClean(slot, &units));
        table.EndWrite(slot);
        Assert.True(table.BeginClean(slot, &units));
        Assert.Equal(1UL, units);
        Assert.True(table.IsCleaning(slot));
        Assert.False(table.BeginClean(slot, &units));
        Assert.False(table.BeginWrite(slot, goesHome: true));
        Assert.True(table.EndClean(slot, &units));
        Assert.Equal((0, 0), (table.DirtyCount, table.DirtyUnits));
        Assert.True(table.BeginWrite(slot, goesHome: true));
    }

    [Fact]
    public void ADirtyWayIsNotTaken()
    {
        using SetTable table = Dirty(out uint slot);
        table.Unpin(slot);
        Bring(table, 100, 150);
        Assert.True(table.Has(0));
    }

    [Fact]
    public void MemoryOfABlockIsSmall()
    {
        SsdGeometry geometry = SsdGeometry.For(100L << 30, 128 << 10);
        using SetTable table = new(geometry, 4, null);
        using Admission admission = new(geometry.Slots);
        Assert.InRange((double)(table.MemoryBytes + admission.MemoryBytes) / geometry.Slots, 40, 60);
    }

    private static void Bring(SetTable table, uint first, uint end)
    {
        for (uint block = first; block < end; block++)
            if (table.TryTake(block, mayEvict: true, null, block, out uint slot) != TakeResult.NoWay) table.Unpin(slot);
    }

    private static bool IsCleanAfterAWrite(SsdCacheMutant mutant)
    {
        using SetTable table = Dirty(out uint slot);
        ulong units;
        Assert.True(table.BeginClean(slot, &units));
        Assert.True(table.BeginWrite(slot, goesHome: false));
        Mutant.Active = mutant;
        bool isClean = table.EndClean(slot, &units);
        Mutant.Active = null;
        Assert.Equal(isClean ? 0 : 1, table.DirtyCount);
        return isClean;
    }

    private static SetTable Dirty(out uint slot)
    {
        SetTable table = new(SetModel.GeometryOf(4096, 1), 0, null);
        table.TryTake(0, mayEvict: true, null, 1, out slot);
        Assert.True(table.SetValidDirty(slot, 0, 3));
        Assert.False(table.SetValidDirty(slot, 1, 2));
        return table;
    }

    private sealed class Pages(int count) : IPageGate
    {
        public bool[] Open { get; } = new bool[count];

        public bool IsOpen(int page) => Open[page];
    }

    private sealed class ClosesAfter(int looks) : IPageGate
    {
        private int _left = looks;

        public bool IsOpen(int page) => _left-- > 0;
    }
}

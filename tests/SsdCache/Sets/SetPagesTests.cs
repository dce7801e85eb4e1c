using System;
using Weir.Core.Base;
using Weir.Core.SsdCache;
using Weir.Core.SsdCache.Format;
using Weir.Core.SsdCache.Sets;
using Xunit;

namespace Weir.Tests.SsdCache.Sets;

/// <summary>From and to the device: what comes back, and which ways wait for a commit (B3).</summary>
public sealed unsafe class SetPagesTests
{
    private const int BlockBytes = 128 << 10;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void WhatWasWrittenIsLoaded(bool onlyDirty)
    {
        SsdGeometry geometry = SetModel.GeometryOf(BlockBytes, 12);
        using SetTable table = new(geometry, 4, null), loaded = new(geometry, 4, null);
        for (uint block = 0; block < 150; block++)
        {
            Assert.Equal(TakeResult.Free, table.TryTake(block, mayEvict: false, null, 1, out uint slot));
            table.SetValid(slot, (int)block, 100);
            if (block % 3 == 0) table.SetValidDirty(slot, 40, 5);
            for (uint use = 0; use < block % 7; use++) table.Touch(slot, 1);
        }
        Copy(geometry, table, loaded, onlyDirty);
        Assert.Equal(onlyDirty ? 50 : 150, loaded.UsedCount);
        Assert.Equal((table.DirtyCount, table.DirtyUnits), (loaded.DirtyCount, loaded.DirtyUnits));
        for (uint block = 0; block < 150; block++)
        {
            int from = table.FindAndPin(block), to = loaded.FindAndPin(block);
            Assert.Equal(onlyDirty && block % 3 != 0 ? -1 : from, to);
            for (int i = 0; to >= 0 && i < geometry.BlockSectors; i++)
            {
                Assert.Equal(table.AnyDirty((uint)from, i, 1), loaded.AnyDirty((uint)to, i, 1));
                bool isValid = onlyDirty ? table.AnyDirty((uint)from, i, 1) : table.IsValid((uint)from, i, 1);
                Assert.Equal(isValid, loaded.IsValid((uint)to, i, 1));
            }
        }
        Assert.Equal(0, loaded.ImpossibleCount);
    }

    /// <summary>Hints come back: what was used often is kept.</summary>
    [Fact]
    public void UsesAreLoaded()
    {
        SsdGeometry geometry = SetModel.GeometryOf(BlockBytes, 1);
        using SetTable table = new(geometry, 0, null), loaded = new(geometry, 0, null);
        for (uint block = 0; block < 16; block++)
        {
            table.TryTake(block, mayEvict: false, null, 1, out uint slot);
            table.SetValid(slot, 0, 1);
            for (uint use = 0; use < (block == 5 ? 1 : 3); use++) table.Touch(slot, 1);
        }
        Copy(geometry, table, loaded, onlyDirty: false);
        Assert.Equal(TakeResult.Evicted, loaded.TryTake(99, mayEvict: true, null, 1, out _));
        Assert.False(loaded.Has(5));
    }

    /// <summary>More further sets were tried when it was made: its blocks are still found.</summary>
    [Fact]
    public void BlocksInFurtherSetsThanAreTriedNowAreFound()
    {
        SsdGeometry geometry = SetModel.GeometryOf(4096, 40);
        using SetTable table = new(geometry, 8, null), loaded = new(geometry, 0, null);
        for (uint i = 0; i < 100; i++)
            if (table.TryTake(i * 40, mayEvict: false, null, 1, out uint slot) == TakeResult.Free)
                table.SetValid(slot, 0, 8);
        Assert.True(table.UsedCount > 50);
        Copy(geometry, table, loaded, onlyDirty: false);
        Assert.Equal(table.UsedCount, loaded.UsedCount);
        for (uint i = 0; i < 100; i++) Assert.Equal(table.Find(i * 40), loaded.Find(i * 40));
    }

    /// <summary>Entries of blocks that belong elsewhere, or that come twice, are left out and counted.</summary>
    [Fact]
    public void WhatCannotBeIsLeftOut()
    {
        SsdGeometry geometry = SetModel.GeometryOf(4096, 40);
        using SetTable table = new(geometry, 4, null);
        using AlignedMemory page = new(geometry.PageBytes);
        uint elsewhere = 0, belongs = 0;
        for (uint block = 1; elsewhere == 0 || belongs == 0; block++)
        {
            bool isHere = false;
            for (int i = 0; i <= SsdGeometry.MaxAssoc; i++) isHere |= geometry.SetOf(block, i) == 0;
            if (isHere) belongs = block;
            else elsewhere = block;
        }
        DirectoryPage.Set(page.Pointer, geometry, 0, elsewhere, 0);
        DirectoryPage.Set(page.Pointer, geometry, 1, belongs, 0);
        DirectoryPage.Set(page.Pointer, geometry, 2, belongs, 0);
        table.Load(0, page.Pointer, onlyDirty: false);
        Assert.Equal((2, 1), (table.ImpossibleCount, table.UsedCount));
        Assert.Equal(1, table.Find(belongs));
    }

    /// <summary>B3: a way that the device names dirty is not taken before a commit without it is durable.</summary>
    [Theory]
    [InlineData(SsdCacheMutant.None)]
    [InlineData(SsdCacheMutant.B3NamedWayTaken)]
    public void ANamedWayIsTakenAfterTheCommit(SsdCacheMutant mutant)
    {
        SsdGeometry geometry = SetModel.GeometryOf(4096, 1);
        using SetTable table = new(geometry, 0, null);
        using AlignedMemory page = new(geometry.PageBytes);
        table.TryTake(0, mayEvict: false, null, 1, out uint slot);
        table.SetValidDirty(slot, 0, 8);
        Assert.True(table.Snapshot(0, page.Pointer));
        table.Committed(0, page.Pointer);
        ulong units;
        Assert.True(table.BeginClean(slot, &units));
        Assert.True(table.EndClean(slot, &units));
        Assert.True(table.Remove(slot));
        table.Unpin(slot);
        Mutant.Active = mutant == SsdCacheMutant.None ? null : mutant;
        table.TryTake(1, mayEvict: true, null, 1, out uint other);
        Mutant.Active = null;
        Assert.Equal(mutant != SsdCacheMutant.None, other == slot);
        table.Unpin(other);
        if (other == slot) return;
        Assert.False(table.Snapshot(0, page.Pointer));
        Assert.False(Takes(table, slot));
        table.Committed(0, page.Pointer);
        Assert.True(Takes(table, slot));
    }

    /// <summary>After a takeover what either copy on the device names dirty is named.</summary>
    [Fact]
    public void WhatTheDeviceNamedBeforeTheProcessDiedIsNotTaken()
    {
        SsdGeometry geometry = SetModel.GeometryOf(4096, 1);
        using AlignedMemory memory = new(SetTable.SharedBytesFor(geometry)), page = new(geometry.PageBytes);
        using (SetTable dead = new(geometry, 0, memory.Pointer))
        {
            dead.TryTake(0, mayEvict: false, null, 1, out uint slot);
            dead.SetValidDirty(slot, 0, 8);
            dead.Snapshot(0, page.Pointer);
            ulong units;
            dead.BeginClean(slot, &units);
            dead.EndClean(slot, &units);
        }
        using SetTable table = new(geometry, 0, memory.Pointer);
        table.NoteNamed(0, page.Pointer);
        Assert.Equal((1, 0), (table.UsedCount, table.DirtyCount));
        Assert.False(Takes(table, 0));
    }

    // Until all ways have been taken.
    private static bool Takes(SetTable table, uint slot)
    {
        bool isTaken = false;
        for (uint block = 100; block < 141; block++)
        {
            if (table.TryTake(block, mayEvict: true, null, 1, out uint taken) == TakeResult.NoWay) break;
            isTaken |= taken == slot;
        }
        for (uint block = 100; block < 141; block++)
            if (table.FindAndPin(block) is int found and >= 0)
            {
                table.Unpin((uint)found);
                table.Unpin((uint)found);
            }
        return isTaken;
    }

    private static void Copy(SsdGeometry geometry, SetTable from, SetTable to, bool onlyDirty)
    {
        using AlignedMemory page = new(geometry.PageBytes);
        for (int number = 0; number < geometry.Pages; number++)
        {
            DirectoryPage.Clear(page.Pointer, geometry, Guid.Empty, number);
            bool anyDirty = from.Snapshot(number, page.Pointer);
            bool found = false;
            for (int i = 0; i < DirectoryPage.EntriesOf(geometry, number); i++)
                found |= DirectoryPage.IsDirty(page.Pointer, geometry, i);
            Assert.Equal(found, anyDirty);
            to.Load(number, page.Pointer, onlyDirty);
        }
    }
}

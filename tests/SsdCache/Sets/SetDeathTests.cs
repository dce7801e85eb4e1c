using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.SsdCache.Format;
using Weir.Core.SsdCache.Sets;
using Xunit;

namespace Weir.Tests.SsdCache.Sets;

/// <summary>The process dies between any two stores: what its memory has then is harmless (B5).</summary>
public sealed unsafe class SetDeathTests
{
    private const int Sectors = 256, Unit = 8;

    private static readonly SsdGeometry s_geometry = SetModel.GeometryOf(Sectors * 512, 1);

    /// <summary>Never a sector of the new block, nor of the old one in its name.</summary>
    [Fact]
    public void AnEvictedWayNeverGivesItsSectorsToAnother()
    {
        int deaths = 0;
        Deaths(table =>
        {
            for (uint block = 0; block < 16; block++) Fill(table, block);
        }, static table => table.TryTake(99, mayEvict: true, null, 5, out _), left =>
        {
            if (left.Find(99) is int slot and >= 0) Assert.False(left.AnyValid((uint)slot, 0, Sectors));
            Assert.Equal(0, left.DirtyUnits);
            deaths++;
        });
        Assert.True(deaths > 4);
    }

    /// <summary>A dirty sector is dirty or gone, never there as if it were clean.</summary>
    [Fact]
    public void WhatIsTakenAwayIsNeverCleanMeanwhile()
    {
        int deaths = 0;
        foreach (Action<SetTable, uint> change in new List<Action<SetTable, uint>>
        {
            static (table, slot) => table.ClearValid(slot, 0, Sectors),
            static (table, slot) => table.ClearValid(slot, 4, 100),
            static (table, slot) => Assert.True(table.Remove(slot)),
        })
            Deaths(static table =>
            {
                table.TryTake(7, mayEvict: true, null, 1, out uint slot);
                table.SetValidDirty(slot, 0, Sectors);
            }, table => change(table, (uint)table.Find(7)), left =>
            {
                if (left.Find(7) is int slot and >= 0)
                    for (int i = 0; i < Sectors; i++)
                        Assert.Equal(left.IsValid((uint)slot, i, 1), left.AnyDirty((uint)slot, i, 1));
                deaths++;
            });
        Assert.True(deaths > 4);
    }

    /// <summary>Nor is one that comes.</summary>
    [Fact]
    public void WhatBecomesDirtyIsNeverCleanMeanwhile()
    {
        int deaths = 0;
        Deaths(static table => table.TryTake(7, mayEvict: true, null, 1, out _), static table =>
        {
            uint slot = (uint)table.Find(7);
            table.SetValidDirty(slot, 3, 200);
        }, left =>
        {
            int slot = left.Find(7);
            Assert.True(slot >= 0);
            for (int i = 0; i < Sectors; i++)
                if (left.IsValid((uint)slot, i, 1)) Assert.True(left.AnyDirty((uint)slot, i, 1));
            deaths++;
        });
        Assert.True(deaths > 0);
    }

    [Fact]
    public void AllOfItComesBack()
    {
        using AlignedMemory memory = new(SetTable.SharedBytesFor(s_geometry));
        using (SetTable table = new(s_geometry, 2, memory.Pointer))
        {
            for (uint block = 0; block < 10; block++) Fill(table, block);
            table.SetDirty((uint)table.Find(3), 10, 20);
        }
        using SetTable next = new(s_geometry, 2, memory.Pointer);
        Assert.Equal((10, 1, 3), (next.UsedCount, next.DirtyCount, next.DirtyUnits));
        for (uint block = 0; block < 10; block++) Assert.True(next.IsValid((uint)next.Find(block), 0, Sectors));
        // Pins, claims and latches died with it.
        Assert.False(next.HasPins(0));
        Assert.Equal(TakeResult.Found, next.TryTake(3, mayEvict: true, null, 1, out uint slot));
        Assert.True(next.AnyDirty(slot, 15, 1));
        Assert.True(next.IsValid(slot, 8, Unit));
    }

    private static void Fill(SetTable table, uint block)
    {
        table.TryTake(block, mayEvict: false, null, block, out uint slot);
        table.SetValid(slot, 0, Sectors);
        table.Unpin(slot);
    }

    // At each point of the change, and behind it, somebody takes over a copy of the memory.
    private static void Deaths(Action<SetTable> before, Action<SetTable> change, Action<SetTable> check)
    {
        using AlignedMemory memory = new(SetTable.SharedBytesFor(s_geometry)), copy = new(memory.SizeBytes);
        using SetTable table = new(s_geometry, 0, memory.Pointer);
        before(table);
        void Die()
        {
            Buffer.MemoryCopy(memory.Pointer, copy.Pointer, copy.SizeBytes, copy.SizeBytes);
            using SetTable left = new(s_geometry, 0, copy.Pointer);
            check(left);
        }
        Mutant.AtPoint = Die;
        try
        {
            change(table);
        }
        finally
        {
            Mutant.AtPoint = null;
        }
        Die();
    }
}

using System;
using System.Collections.Generic;
using Weir.Core.DmCache.Places;
using Xunit;

namespace Weir.Tests.DmCache.Places;

/// <summary>Homes are found where they are, however full the buckets are.</summary>
public sealed unsafe class HomeIndexTests
{
    /// <summary>As a dictionary; in small tables every bucket overflows, and is passed by others.</summary>
    [Theory]
    [InlineData(1, 8)]
    [InlineData(7, 40)]
    [InlineData(24, 64)]
    [InlineData(500, 4000)]
    public void AgreesWithADictionary(int places, int homes)
    {
        using PlaceTable table = new((uint)places);
        using HomeIndex index = new(table);
        Dictionary<long, uint> model = [];
        Stack<uint> free = new();
        for (uint place = 0; place < places; place++) free.Push(place);
        Random random = new(places);
        for (int step = 0; step < 20_000; step++)
        {
            long home = random.Next(homes) * 0x1_0000_0001L;
            if (model.Remove(home, out uint old))
            {
                index.Remove(old);
                table.Change(old, 0, PlaceState.Mapped);
                free.Push(old);
            }
            else if (free.TryPop(out uint place))
            {
                model[home] = place;
                table.SetHome(place, home);
                index.Add(place);
                table.Change(place, PlaceState.Mapped, 0);
            }
            long asked = random.Next(homes) * 0x1_0000_0001L;
            Assert.Equal(model.TryGetValue(asked, out uint found) ? found : -1L, index.Find(asked));
        }
        Assert.Equal(model.Count, table.MappedCount);
    }

    /// <summary>A block that has left is found by who asks for such, and by nobody else.</summary>
    [Fact]
    public void WhatLeavesIsSeenToLeave()
    {
        using PlaceTable table = new(4);
        using HomeIndex index = new(table);
        table.SetHome(2, 77);
        index.Add(2);
        table.Change(2, PlaceState.Mapped, 0);
        Assert.Equal((2, -1), (index.Find(77), index.FindLeaving(77)));
        table.Change(2, PlaceState.Leaving, PlaceState.Mapped);
        Assert.Equal((-1, 2), (index.Find(77), index.FindLeaving(77)));
        Assert.Equal(1, table.LeavingCount);
        index.Remove(2);
        Assert.Equal((-1, -1), (index.Find(77), index.FindLeaving(77)));
    }

    [Fact]
    public void TagsAreComparedAsOneByOne()
    {
        byte* bucket = (byte*)System.Runtime.InteropServices.NativeMemory.AlignedAlloc(HomeIndex.BucketBytes, 64);
        Random random = new(1);
        for (int i = 0; i < 1000; i++)
        {
            for (int at = 0; at < HomeIndex.BucketBytes; at++) bucket[at] = (byte)random.Next(4);
            byte tag = (byte)random.Next(4);
            Assert.Equal(HomeIndex.MatchScalar(bucket, tag), HomeIndex.Match(bucket, tag));
        }
        System.Runtime.InteropServices.NativeMemory.AlignedFree(bucket);
    }
}

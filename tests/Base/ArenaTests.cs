using System;
using System.Collections.Generic;
using Weir.Frontends;
using Xunit;

namespace Weir.Tests.Base;

public sealed class ArenaTests
{
    /// <summary>Against a plain array of flags: first fit, never twice, never lost.</summary>
    [Theory]
    [InlineData(64, 1)]
    [InlineData(100, 2)]
    [InlineData(257, 3)]
    [InlineData(2048, 4)]
    public void AgreesWithItsModel(int pages, int seed)
    {
        using Arena arena = new(pages * Arena.PageBytes);
        bool[] used = new bool[pages];
        List<(int First, int Count)> held = [];
        Random random = new(seed);
        for (int step = 0; step < 5000; step++)
        {
            if (held.Count > 0 && random.Next(100) < 48) Give(arena, used, held, random);
            else Take(arena, used, held, random.Next(8) == 0 ? random.Next(1, pages + 2) : random.Next(1, 6));
            Assert.Equal(Array.FindAll(used, u => u).Length, arena.UsedPages);
        }
        arena.Reset();
        Assert.Equal(0, arena.Allocate(pages));
        Assert.True(arena.IsFull);
    }

    [Theory]
    [InlineData(0, 0, 0, 0)]
    [InlineData(0, 1, 0, 1)]
    [InlineData(0, 4096, 0, 1)]
    [InlineData(0, 4097, 0, 2)]
    [InlineData(512, 3584, 512, 1)]
    [InlineData(512, 3585, 512, 2)]
    [InlineData(4095, 2, 4095, 2)]
    [InlineData((1L << 40) + 4608, 1 << 20, 512, 257)]
    public void PagesAroundARequestHoldAllOfIt(long offset, long length, int skew, int pages)
    {
        Assert.Equal(skew, Arena.SkewOf(offset));
        Assert.Equal(pages, Arena.PagesAround(offset, length));
    }

    private static void Take(Arena arena, bool[] used, List<(int First, int Count)> held, int count)
    {
        int first = arena.Allocate(count);
        Assert.Equal(FirstFit(used, count), first);
        if (first < 0) return;
        Array.Fill(used, true, first, count);
        held.Add((first, count));
    }

    private static void Give(Arena arena, bool[] used, List<(int First, int Count)> held, Random random)
    {
        int index = random.Next(held.Count);
        (int first, int count) = held[index];
        held.RemoveAt(index);
        arena.Free(first, count);
        Array.Fill(used, false, first, count);
    }

    private static int FirstFit(bool[] used, int count)
    {
        for (int first = 0; first + count <= used.Length; first++)
            if (Array.IndexOf(used, true, first, count) < 0) return first;
        return -1;
    }
}

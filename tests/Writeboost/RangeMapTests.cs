using System;
using Weir.Core.Base;
using Weir.Core.Writeboost.Index;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>The interval map against an array with one position per block.</summary>
public sealed class RangeMapTests
{
    private const int Blocks = 300;

    [Fact]
    public void TheNewestRangeOverABlockIsFound()
    {
        for (ulong seed = 0; seed < 300; seed++)
        {
            Prng random = new(seed);
            using RangeMap map = new(64);
            long[] model = new long[Blocks];
            long newest = 0;
            for (int i = 0; i < 60; i++)
            {
                // Racing threads may insert an older position after a newer one.
                long position = random.Chance(70) ? ++newest : random.Between(1, (int)Math.Max(1, newest));
                int start = random.Below(Blocks - 1), length = 1 + random.Below(Blocks - start);
                Assert.True(map.TryTakeBudget());
                map.Insert((ulong)start, length, position);
                for (int block = start; block < start + length; block++)
                    model[block] = Math.Max(model[block], position);
                if (random.Chance(10)) RemoveBelow(map, model, random.Below((int)newest + 1));
                for (int block = 0; block < Blocks; block++) Assert.Equal(model[block], map.PositionOver((ulong)block));
            }
        }
    }

    [Fact]
    public void AFullBudgetWaits()
    {
        using RangeMap map = new(2);
        Assert.True(map.TryTakeBudget());
        Assert.True(map.TryTakeBudget());
        Assert.False(map.TryTakeBudget());
        map.ReturnBudget(1);
        Assert.True(map.TryTakeBudget());
        Assert.Equal(2, map.Entries);
    }

    private static void RemoveBelow(RangeMap map, long[] model, long position)
    {
        map.RemoveBelow(position);
        for (int block = 0; block < Blocks; block++)
            if (model[block] < position) model[block] = 0;
    }
}

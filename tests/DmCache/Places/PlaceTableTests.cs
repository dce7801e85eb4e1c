using System;
using Weir.Core.Base;
using Weir.Core.DmCache;
using Weir.Core.DmCache.Places;
using Xunit;

namespace Weir.Tests.DmCache.Places;

/// <summary>States, their counts, and the marks.</summary>
public sealed class PlaceTableTests
{
    private static readonly PlaceState[] s_wanted =
    [
        PlaceState.Mapped, PlaceState.Dirty, PlaceState.Mapped | PlaceState.Dirty, PlaceState.Fresh, PlaceState.Leaving,
    ];

    [Fact]
    public void GroupsAreScannedAsOneByOne()
    {
        using PlaceTable table = new(200);
        Random random = new(1);
        for (int round = 0; round < 50; round++)
        {
            for (uint place = 0; place < 200; place++)
                table.Change(place, (PlaceState)random.Next(128), (PlaceState)random.Next(128));
            foreach (PlaceState wanted in s_wanted)
                for (uint group = 0; group < table.Groups; group++)
                    Assert.Equal(table.GroupWithScalar(group, wanted), table.GroupWith(group, wanted));
        }
    }

    [Fact]
    public void CountsAreThoseOfTheStates()
    {
        using PlaceTable table = new(100);
        Random random = new(2);
        for (int i = 0; i < 5000; i++)
            table.Change((uint)random.Next(100), (PlaceState)random.Next(128), (PlaceState)random.Next(128));
        (long dirty, long mapped, long doubtful, long leaving) = (0, 0, 0, 0);
        for (uint place = 0; place < 100; place++)
        {
            PlaceState state = table.StateOf(place);
            if ((state & PlaceState.Dirty) != 0) dirty++;
            if ((state & PlaceState.Mapped) != 0) mapped++;
            if ((state & PlaceState.Doubtful) != 0) doubtful++;
            if ((state & PlaceState.Leaving) != 0) leaving++;
        }
        Assert.Equal(
            (dirty, mapped, doubtful, leaving),
            (table.DirtyCount, table.MappedCount, table.DoubtfulCount, table.LeavingCount));
    }

    /// <summary>B4: who was written meanwhile stays dirty.</summary>
    [Fact]
    public void AWriteKeepsABlockDirty()
    {
        Assert.False(IsCleanAfterAWrite(DmCacheMutant.None));
        Assert.True(IsCleanAfterAWrite(DmCacheMutant.B4WrittenIgnored));
    }

    /// <summary>Homes have 48 bits.</summary>
    [Fact]
    public void HomesOfAllSizesAreKept()
    {
        using PlaceTable table = new(3);
        long[] homes = [0, uint.MaxValue + 5L, (1L << 48) - 1];
        for (uint place = 0; place < 3; place++) table.SetHome(place, homes[place]);
        for (uint place = 0; place < 3; place++) Assert.Equal(homes[place], table.HomeOf(place));
    }

    private static bool IsCleanAfterAWrite(DmCacheMutant mutant)
    {
        Mutant.Active = mutant;
        try
        {
            using PlaceTable table = new(1);
            table.Change(0, PlaceState.Mapped, 0);
            Assert.False(table.BeginWrite(0));
            table.SetMarks(0, 1);
            Assert.True(table.BeginWrite(0));
            table.Change(0, PlaceState.Cleaning, PlaceState.Written);
            table.BeginWrite(0);
            return table.TryClean(0);
        }
        finally
        {
            Mutant.Active = null;
        }
    }
}

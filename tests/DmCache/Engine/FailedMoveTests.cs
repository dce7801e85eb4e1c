using Weir.Core.Io;
using Weir.Core.Volumes;
using Xunit;
using Errno = Weir.Native.Errno;

namespace Weir.Tests.DmCache.Engine;

/// <summary>Blocks that were to come in, to go home or to leave, and did not.</summary>
public sealed unsafe class FailedMoveTests
{
    /// <summary>
    /// D16: in the seed the locks of a block whose commit fails stay taken, and its requests hang. Here those that were
    /// coming in and those that were leaving are served, from the bytes that are right.
    /// </summary>
    [Fact]
    public void BlocksWhoseCommitFailsAreServed()
    {
        using SmallCache cache = new(places: 4);
        for (long home = 0; home < 12; home++) cache.Write(home, home + 1);
        for (long home = 0; home < 3; home++) cache.BringIn(home);
        cache.Driver.Until(() => cache.Volume.Changes.IsEmpty, "the commits");
        cache.Cache.Hold = IoKind.Write;
        for (long home = 4; home < 12; home++) Assert.Equal(home + 1, cache.Read(home));
        cache.Driver.Until(() => cache.Cache.HeldCount > 0, "a copy");
        cache.Metadata.RefusesWith = -Errno.EIO;
        cache.Volume.Changes.Urge();
        Assert.Equal(-Errno.EIO, cache.Driver.Do(RequestKind.Write, 0, 4096));
        Assert.Equal(VolumeState.ReadOnly, cache.Volume.Health.State);
        cache.Cache.Release();
        for (int round = 0; round < 3; round++)
            for (long home = 0; home < 12; home++) Assert.Equal(home + 1, cache.Read(home));
        for (long home = 0; home < 12; home++) Overwrite(cache, home);
        cache.Driver.Stop(-Errno.EIO);
    }

    // It may be refused, but it ends, and one or the other is there.
    private static void Overwrite(SmallCache cache, long home)
    {
        cache.Fill(100 + home);
        int result = cache.Driver.Do(RequestKind.Write, home * SmallCache.BlockBytes, 4096);
        Assert.Equal(result == 0 ? 100 + home : home + 1, cache.Read(home));
    }

    /// <summary>
    /// D17: the seed's cleaner forgets a block whose write-back fails or meets somebody, and never has all clean.
    /// </summary>
    [Fact]
    public void TheCleanerTriesAgainUntilAllIsClean()
    {
        using SmallCache cache = new(set: static options => options.IdleUs = long.MaxValue / 4);
        for (long home = 0; home < 6; home++) cache.BringIn(home);
        for (long home = 0; home < 6; home++) cache.Write(home, home + 1);
        cache.Backing.WritesToFail = 2;
        cache.Cache.Hold = IoKind.Read;
        Request request = new()
        {
            Kind = RequestKind.Read, OffsetBytes = 5L * SmallCache.BlockBytes, LengthBytes = 4096,
            Data = cache.Driver.Data,
        };
        cache.Driver.Queue.Submit(&request);
        cache.Volume.SetPolicy("cleaner");
        cache.Driver.Idle(20_000);
        cache.Cache.Release();
        Assert.True(cache.Driver.TakeOne() == &request);
        cache.Driver.Until(() => cache["dirty_blocks"] == 0, "a cache that is all clean");
        Assert.True(cache.Backing.WritesToFail <= 0, "no write has failed");
        cache.Reopen();
        for (long home = 0; home < 6; home++) Assert.Equal(home + 1, cache.Read(home));
    }

    /// <summary>
    /// D22: in the seed a block that leaves and one that fails to come in leave a free place dirty. Here the figures
    /// are those of the blocks that are there, and every place can be used again.
    /// </summary>
    [Fact]
    public void AMoveThatFailsLeavesNothingBehind()
    {
        using SmallCache cache = new(places: 4);
        for (int round = 0; round < 4; round++)
        {
            for (long home = 0; home < 4; home++) cache.BringIn(home);
            for (long home = 0; home < 4; home++) cache.Write(home, home + 1);
            cache.Say("drain");
            cache.Cache.RefusesWith = -Errno.EIO;
            for (long home = 10; home < 20; home++) Assert.Equal(0, cache.Read(home));
            cache.Driver.Until(() => cache["not_promoted_failed"] > round, "a promotion that fails");
            cache.Driver.Idle(5_000);
            cache.Cache.RefusesWith = 0;
        }
        cache.Driver.Until(() => cache.Volume.Changes.IsEmpty, "the commits");
        Assert.Equal((0, 4), (cache["dirty_blocks"], cache["cached_blocks"] + cache["free_blocks"]));
        for (long home = 30; home < 34; home++) cache.BringIn(home);
        for (long home = 30; home < 34; home++) cache.Write(home, home);
        cache.Driver.Until(() => cache.Volume.Changes.IsEmpty, "the commits");
        Assert.InRange(cache["dirty_blocks"], 1, 4);
    }

    /// <summary>
    /// D24: where there is no room for a move, the seed's thread asks again and again. Here it sleeps: no block can
    /// leave, since all are dirty and home refuses them.
    /// </summary>
    [Fact]
    public void WhatCannotBeginKeepsNoThreadBusy()
    {
        using SmallCache cache = new(places: 4);
        for (long home = 0; home < 4; home++) cache.BringIn(home);
        for (long home = 0; home < 4; home++) cache.Write(home, home + 1);
        cache.Backing.RefusesWith = -Errno.EIO;
        for (long home = 10; home < 20; home++) Assert.Equal(0, cache.Read(home));
        cache.Driver.Until(() => cache["not_promoted_no_place"] > 0, "a block without a place");
        Assert.InRange(TurnsIn(cache, us: 200_000), 0, 1000);
        // Each block once, however often somebody looks for a place.
        Assert.Equal(10, cache["not_promoted_no_place"]);
        for (long home = 0; home < 4; home++) Assert.Equal(home + 1, cache.Read(home));
        cache.Backing.RefusesWith = 0;
        cache.Driver.Until(() => cache.IsCached(10) || cache.IsCached(19), "a promotion");
    }

    /// <summary>The same while as many copies are under way as may be, and when no commit will come any more.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void WhatMayNotBeginKeepsNoThreadBusy(bool hasFailed)
    {
        using SmallCache cache = new(places: 64, homes: 256);
        if (hasFailed) cache.Metadata.RefusesWith = -Errno.EIO;
        cache.Cache.Hold = IoKind.Write;
        // Reads would leave out what finds no room.
        for (long home = 0; home < 40; home++) cache.Write(home, home);
        cache.Driver.Until(() => cache.Cache.HeldCount > 8, "many copies");
        if (hasFailed)
        {
            cache.Cache.Release();
            cache.Driver.Until(() => cache.Volume.Health.State == VolumeState.ReadOnly, "the failure");
            for (long home = 100; home < 140; home++) cache.Write(home, home);
        }
        Assert.InRange(TurnsIn(cache, us: 200_000), 0, 1000);
        cache.Cache.Release();
        if (!hasFailed) cache.Driver.Until(() => cache["cached_blocks"] == 40, "all of them");
    }

    // As the product's loop does: asleep until there is an answer, or the time that the queue has named.
    private static int TurnsIn(SmallCache cache, long us)
    {
        int turns = 0;
        for (long endUs = cache.Driver.Io.NowUs + us; cache.Driver.Io.NowUs < endUs; turns++) cache.Driver.Turn();
        return turns;
    }
}

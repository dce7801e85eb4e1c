using System;
using System.Linq;
using Weir.Core.Base;
using Weir.Core.DmCache.Volume;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Xunit;
using Errno = Weir.Native.Errno;

namespace Weir.Tests.DmCache.Engine;

/// <summary>Blocks that the cache device does not give (B11): clean ones leave, dirty ones are listed.</summary>
public sealed class LostBlockTests
{
    private const int Block = SmallCache.BlockBytes;

    /// <summary>It is read at home, and its entry goes, durably: a device that gives older bytes later shows none.
    /// </summary>
    [Fact]
    public void WhereNothingIsLostItIsSaid()
    {
        using SmallCache cache = new();
        Assert.Equal("nothing is lost\n", cache.Say("lost_blocks"));
        foreach (string range in new[] { "0+9000000000000000001", "4194304+512", "9000000000000000001+512" })
        {
            string said = Assert.Throws<UserErrorException>(() => cache.Say("give_up", "backing:" + range)).Message;
            Assert.Contains("ends behind the volume, which has 4194304 bytes", said, StringComparison.Ordinal);
        }
        string unknown = Assert.Throws<UserErrorException>(() => cache.Say("set_config", "foo", "1")).Message;
        Assert.Contains("migration_threshold", unknown, StringComparison.Ordinal);
        Assert.DoesNotContain("rebind", unknown, StringComparison.Ordinal);
    }

    [Fact]
    public void ACleanBlockLeaves()
    {
        using SmallCache cache = new();
        cache.Write(1, 5);
        cache.BringIn(1);
        cache.Driver.Until(() => cache.Volume.Changes.IsEmpty, "the commit of its entry");
        cache.Cache.FailsReads = true;
        Assert.Equal(5, cache.Read(1));
        cache.Driver.Until(() => !cache.IsCached(1), "its removal");
        cache.Cache.FailsReads = false;
        // Home is written only when the removal is durable (B9).
        cache.Options.Mode = CacheMode.Writethrough;
        cache.Write(1, 6);
        cache.Kill();
        Assert.Equal(6, cache.Read(1));
        Assert.Equal(0, cache["unreadable_blocks"]);
    }

    /// <summary>Of several blocks that one operation reads, the one alone is to blame that cannot be read.</summary>
    [Fact]
    public void NeighboursAreNotToBlame()
    {
        using SmallCache cache = WithDirty(3);
        SetUnreadable(cache, 1);
        Assert.Equal(-Errno.EIO, cache.Driver.Do(RequestKind.Read, 0, 3 * Block));
        Assert.Equal("backing 65536 65536\n", Command(cache, "lost_blocks").Answer!());
        Assert.Equal((1, 1), (cache["unreadable_blocks"], cache.Volume.LostBlockCount));
        Assert.Equal("1 block lost, unreadable in the cache and not written back: backing:65536+65536",
            cache.Volume.LostSentence);
        Assert.Equal(1, cache.Read(0));
        Assert.Equal(3, cache.Read(2));
    }

    /// <summary>All new bytes, or none: what cannot be read is wanted no more.</summary>
    [Theory]
    [InlineData(RequestKind.Write)]
    [InlineData(RequestKind.Discard)]
    public void WhatIsOverwrittenIsLostNoMore(RequestKind kind)
    {
        using SmallCache cache = WithDirty(2);
        SetUnreadable(cache, 1);
        Assert.Equal(-Errno.EIO, cache.Driver.Do(RequestKind.Read, Block, 4096));
        Assert.NotNull(cache.Volume.LostSentence);
        cache.Fill(8);
        Assert.Equal(0, cache.Driver.Do(RequestKind.Write, Block, 4096));
        Assert.NotNull(cache.Volume.LostSentence);
        Assert.Equal(0, cache.Driver.Do(kind, Block, Block));
        Assert.Null(cache.Volume.LostSentence);
        cache.Cache.Unreadable = default;
        Assert.Equal(kind == RequestKind.Write ? 8 : 0, cache.Read(1));
    }

    /// <summary>Write-back goes on with the others; drain says what is left, until that is given up.</summary>
    [Fact]
    public void WhatIsGivenUpIsReadAtHome()
    {
        using SmallCache cache = WithDirty(4);
        SetUnreadable(cache, 1);
        Func<OrderProgress> look = Command(cache, "drain").Begin!();
        cache.Driver.Until(() => look().IsOver, "the end of the drain");
        Assert.Contains("backing:65536+65536", look().Failure, StringComparison.Ordinal);
        Assert.Equal((1, VolumeState.Retrying), (cache["dirty_blocks"], cache.Volume.Health.State));
        Assert.Throws<UserErrorException>(() => cache.Volume.Lost.Select("backing:65536+4096"));
        Assert.Throws<UserErrorException>(() => cache.Volume.Lost.Select("other:65536+65536"));
        Assert.Empty(cache.Volume.Lost.Select("backing:0+65536"));
        using (IGiveUpOrder order = ((IDrainable)cache.Volume).BeginGiveUp("backing:65536+65536")!)
        {
            cache.Driver.Until(() => order.IsDone, "the end of the order");
            Assert.Equal(1, order.End());
        }
        Assert.Equal(-1, cache.Read(1));
        cache.Cache.Unreadable = default;
        cache.Kill();
        Assert.False(cache.IsCached(1));
        Assert.Equal(-1, cache.Read(1));
    }

    /// <summary>What the device gives after all is written back, and lost no more.</summary>
    [Fact]
    public void WhatIsReadAfterAllIsWrittenBack()
    {
        using SmallCache cache = WithDirty(2);
        SetUnreadable(cache, 1);
        ((IDrainable)cache.Volume).Drain();
        cache.Driver.Until(() => cache["dirty_blocks"] == 1 && cache.Volume.LostBlockCount == 1, "the others");
        cache.Cache.Unreadable = default;
        cache.Driver.Until(() => cache["dirty_blocks"] == 0, "the lost one");
        cache.Driver.Until(() => cache.Volume.Health.State == VolumeState.Healthy, "the end of the trouble");
        Assert.Null(cache.Volume.LostSentence);
        Assert.Equal(2, cache.Read(1));
    }

    /// <summary>B6: after a flush that failed what is dirty is written again, but for the sectors that are lost.
    /// </summary>
    [Fact]
    public void AroundWhatIsLostTheRestIsWrittenAgain()
    {
        using SmallCache cache = WithDirty(1);
        long start = cache.Volume.Map.Geometry.PlaceOffset((uint)cache.Volume.Map.Find(0));
        cache.Cache.FlushesToFail = 1;
        Assert.Equal(-Errno.EIO, cache.Driver.Do(RequestKind.Flush));
        cache.Driver.Idle(50_000);
        cache.Cache.Unreadable = (start + 8192, start + 8193);
        cache.Cache.WriteOffsets.Clear();
        cache.Kill();
        long[] rest = [.. Enumerable.Range(0, Block / 4096).Where(part => part != 2).Select(p => start + (p * 4096L))];
        Assert.Equal(rest, cache.Cache.WriteOffsets.FindAll(at => at >= start && at < start + Block));
        Assert.Equal(1, cache.Read(0));
    }

    private static VolumeCommand Command(SmallCache cache, string name) =>
        DmCacheCommands.Of(cache.Volume, []).Single(command => command.Name == name);

    // Homes 0 and up, at neighbouring places, dirty; home 1 has -1 itself.
    private static SmallCache WithDirty(int count)
    {
        SmallCache cache = new();
        cache.Write(1, -1);
        for (long home = 0; home < count; home++) cache.BringIn(home);
        for (long home = 0; home < count; home++) cache.Write(home, home + 1);
        return cache;
    }

    private static void SetUnreadable(SmallCache cache, long home)
    {
        long start = cache.Volume.Map.Geometry.PlaceOffset((uint)cache.Volume.Map.Find(home));
        cache.Cache.Unreadable = (start, start + Block);
    }
}

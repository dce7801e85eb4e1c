using System;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Weir.Core.Writeboost.Volume;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>Every order ends when it is done or has failed, and says which.</summary>
public sealed class OrderTests : IDisposable
{
    private const int Block = 4096;
    private readonly RamDevice _disk = new(16 << 20), _flash = new(8 << 20);
    private readonly CountingDevice _backing, _cache;
    private readonly WriteboostOptions _options = new() { AllowWriteback = false, SyncIntervalUs = 0 };
    private readonly DirectClient _client;

    public OrderTests()
    {
        (_backing, _cache) = (new CountingDevice(_disk), new CountingDevice(_flash));
        using RingContext io = new();
        WriteboostFormat.Format(io, _flash, Layout.Native, 128 << 10, Guid.NewGuid);
        _client = new DirectClient(_cache, _backing, _options, new PrivateMemory());
    }

    private WriteboostVolume Volume => _client.Volume;

    public void Dispose()
    {
        _client.Dispose();
        _flash.Dispose();
        _disk.Dispose();
    }

    [Fact]
    public void AFlushOfTheLogEndsWhenWhatWasAcknowledgedIsDurable()
    {
        _client.Write(0, new byte[Block]);
        long end = Volume.Log.ReservedEnd;
        _cache.Hold = IoKind.Flush;
        Func<OrderProgress> look = Volume.BeginFlush();
        _client.Until(() => _cache.HeldCount > 0);
        Assert.False(look().IsOver);
        Assert.True(Volume.Log.Durable < end);
        _cache.Release();
        _client.Until(() => look().IsOver);
        Assert.Null(look().Failure);
        Assert.True(Volume.Log.Durable >= end);
    }

    /// <summary>What went round the log was acknowledged too.</summary>
    [Fact]
    public void AFlushOfTheLogCoversWhatWentRoundIt()
    {
        _options.WriteAround = true;
        _client.Write(0, new byte[Block]);
        Assert.Equal(1, Volume.Around.Written);
        Assert.Null(End(Volume.BeginFlush()));
        Assert.Equal(1, Volume.Around.Flushed);
        _client.Write(Block, new byte[Block]);
        _backing.FlushesToFail = int.MaxValue;
        Assert.Contains("flush failed", End(Volume.BeginFlush()), StringComparison.Ordinal);
    }

    [Fact]
    public void ACommitEndsWhenTheSuperblockIsDurable()
    {
        long before = Volume.Superblock.Generation;
        _cache.Hold = IoKind.Flush;
        Func<OrderProgress> look = Volume.BeginCommit();
        _client.Until(() => _cache.HeldCount > 0);
        Assert.False(look().IsOver);
        Func<OrderProgress> later = Volume.BeginCommit();
        _cache.Release();
        Assert.Null(End(look));
        Assert.Null(End(later));
        // The second came after the first had begun to be written.
        Assert.Equal(before + 2, Volume.Superblock.Generation);
        _options.CacheRetryUs = 0;
        _client.Write(0, new byte[Block]);
        _cache.WritesLeft = 0;
        Assert.Contains("superblock", End(Volume.BeginCommit()), StringComparison.Ordinal);
        Assert.NotNull(End(Volume.BeginFlush()));
    }

    [Theory]
    [InlineData("drain")]
    [InlineData("drop_caches")]
    public void ADrainEndsWhenAllIsWrittenBackOrCannotBe(string name)
    {
        VolumeCommand order = VolumeCommand.Find(WriteboostCommands.Of(Volume), name);
        _client.Write(0, new byte[4 * Block]);
        _client.Run(RequestKind.WriteZeroes, 1 << 20, 1 << 20);
        Assert.Null(End(order.Begin!()));
        Assert.Equal((0, 0), (Volume.DirtyBlocks, Volume.DirtyRanges));
        _client.Write(0, new byte[5 * Block]);
        _backing.WritesToFail = int.MaxValue;
        string? failure = End(order.Begin!());
        Assert.StartsWith("5 blocks (20 KiB) are still dirty: ", failure, StringComparison.Ordinal);
        Assert.Equal(5, Volume.DirtyBlocks);
    }

    /// <summary>Whoever waits for a drain hears when another calls it off.</summary>
    [Fact]
    public void ADrainThatIsCalledOffHasFailed()
    {
        _client.Write(0, new byte[Block]);
        _backing.Hold = IoKind.Write;
        Func<OrderProgress> look = Volume.BeginDrain();
        _client.Until(() => _backing.HeldCount > 0);
        OrderProgress at = look();
        Assert.Equal((false, 1, 1), (at.IsOver, at.LeftBlocks, at.TotalBlocks));
        Volume.CancelDrain();
        Assert.Equal("1 block (4 KiB) is still dirty: called off by cancel_drain", look().Failure);
        _backing.Release();
    }

    [Fact]
    public void OrdersToAVolumeThatWritesNothingAreRefused()
    {
        _client.Write(0, new byte[Block]);
        _client.Stop();
        using DirectClient client =
            new(_cache, _backing, new WriteboostOptions { ReadOnly = true }, new PrivateMemoryStore());
        foreach (string name in new[] { "drain", "drop_caches", "commit_super_block" })
        {
            VolumeCommand order = VolumeCommand.Find(WriteboostCommands.Of(client.Volume), name);
            Assert.Contains("read-only", Assert.Throws<UserErrorException>(() => order.Begin!()).Message,
                StringComparison.Ordinal);
        }
        Assert.True(client.Volume.BeginFlush()().IsOver);
    }

    /// <summary>Whoever gives one up is told what is left; it goes on.</summary>
    [Fact]
    public void AnOrderThatNobodyWaitsForGoesOn()
    {
        _client.Write(0, new byte[Block]);
        VolumeCommand drain = VolumeCommand.Find(WriteboostCommands.Of(Volume), "drain");
        string message = Assert.Throws<UserErrorException>(() => drain.Run(new Gone())).Message;
        Assert.Equal("drain: 1 block (4 KiB) is still dirty: the volume stops", message);
        _client.Until(() => Volume.IsDrained);
        Assert.Equal("drain: done, nothing was dirty\n", drain.Run(new Gone()));
    }

    /// <summary>One line says what an order has done, or why it has failed.</summary>
    [Fact]
    public void EveryOrderSaysWhatItHasDone()
    {
        foreach (VolumeCommand order in WriteboostCommands.Of(Volume))
        {
            if (order.Begin == null || order.Answer != null) continue;
            string said = _client.Await(() => order.Run(new Patient()));
            Assert.StartsWith($"{order.Name}: done, ", said, StringComparison.Ordinal);
            Assert.Single(said.TrimEnd('\n').Split('\n'));
        }
        _client.Write(0, new byte[4 * Block]);
        Assert.Equal("drain: done, 4 blocks (16 KiB) written back\n", Carry("drain"));
        _client.Write(0, new byte[Block]);
        Assert.Equal("drop_caches: done, 1 block (4 KiB) written back\n", Carry("drop_caches"));
    }

    [Fact]
    public void ResumeEndsWhenItHasBeenTriedAndSaysWhatCameOfIt()
    {
        _backing.RefusesWith = -28;
        _client.Write(0, new byte[Block]);
        Volume.Drain();
        _client.Until(() => Volume.Health.State == VolumeState.Retrying);
        string error = Assert.Throws<UserErrorException>(() => Carry("resume")).Message;
        Assert.StartsWith("resume: tried again: still refused: backing device 'disk'", error, StringComparison.Ordinal);
        Assert.Contains("No space left on device", error, StringComparison.Ordinal);
        Volume.CancelDrain();
        _backing.RefusesWith = 0;
        Assert.Equal("resume: done, tried again: the volume is healthy\n", Carry("resume"));
        Assert.Equal("resume: done, no device refuses anything\n", Carry("resume"));
    }

    /// <summary>Whatever is refused is tried at once, however long its pause has become.</summary>
    [Fact]
    public void ResumeTriesTheLogAndTheSuperblockToo()
    {
        _options.CacheRetryUs = long.MaxValue;
        _client.Write(0, new byte[Block]);
        _cache.RefusesWith = -5;
        Func<OrderProgress> commit = Volume.BeginCommit();
        Func<OrderProgress> flush = Volume.BeginFlush();
        _client.Until(() => Volume.Health.Reason.Contains("superblock", StringComparison.Ordinal)
            && Volume.Health.Reason.Contains("writing the log", StringComparison.Ordinal));
        Assert.Contains("still refused", Assert.Throws<UserErrorException>(() => Carry("resume")).Message,
            StringComparison.Ordinal);
        _cache.RefusesWith = 0;
        Assert.Contains("healthy", Carry("resume"), StringComparison.Ordinal);
        Assert.Null(End(commit));
        Assert.Null(End(flush));
    }

    [Fact]
    public void ResumeSaysWhatMayBeLostAndWhatIsStillRefused()
    {
        _options.WriteAround = true;
        _client.Write(0, new byte[Block]);
        _backing.FlushesToFail = int.MaxValue;
        Assert.NotNull(End(Volume.BeginFlush()));
        string error = Assert.Throws<UserErrorException>(() => Carry("resume")).Message;
        const string lost = "up to 1 write (4 KiB) that went round the log may be lost";
        Assert.StartsWith($"resume: tried again; {lost}: still refused: ", error, StringComparison.Ordinal);
        _backing.FlushesToFail = 0;
        Assert.Equal($"resume: done, tried again: the volume is healthy; {lost}\n", Carry("resume"));
        Assert.Null(End(Volume.BeginFlush()));
    }

    private string Carry(string name)
    {
        VolumeCommand order = VolumeCommand.Find(WriteboostCommands.Of(Volume), name);
        return _client.Await(() => order.Run(new Patient()));
    }

    private string? End(Func<OrderProgress> look)
    {
        _client.Until(() => look().IsOver);
        return look().Failure;
    }

    private sealed class Gone : IOrderWaiter
    {
        public string? GivesUp => "the volume stops";

        public void Report(in OrderProgress progress)
        {
        }
    }
}

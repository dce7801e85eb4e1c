using System;
using System.Threading.Tasks;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Weir.Core.Writeboost.Volume;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>Orders to a volume of which a device refuses something: what they wait for, and what not.</summary>
public sealed class HeldUpOrderTests : IDisposable
{
    private const int Block = 4096, TurnUs = 100_000;
    private readonly RamDevice _disk = new(2 << 20), _other = new(3 << 20), _flash = new(6 << 20);
    private readonly CountingDevice _first, _second, _cache;
    private readonly WriteboostOptions _options = new() { AllowWriteback = false, SyncIntervalUs = 0 };
    private readonly HeldTime _time = new();
    private readonly DirectClient _client;

    public HeldUpOrderTests()
    {
        (_first, _second, _cache) =
            (new CountingDevice(_disk), new CountingDevice(_other), new CountingDevice(_flash));
        using (RingContext io = new()) WriteboostFormat.Format(io, _flash, Layout.Native, 128 << 10, Guid.NewGuid);
        BackingSpec[] backings = [new(null, "a", _first), new(null, "b", _second)];
        _client = new DirectClient(_cache, backings, _options, new PrivateMemory(), new RingContext(_time));
    }

    private WriteboostVolume Volume => _client.Volume;

    public void Dispose()
    {
        _client.Dispose();
        _flash.Dispose();
        _disk.Dispose();
        _other.Dispose();
    }

    /// <summary>The pause has become a minute, and time stands still in it.</summary>
    [Theory]
    [InlineData("drain")]
    [InlineData("drop_caches")]
    [InlineData("detach")]
    public void WhatNeedsWritebackHasItTriedAtOnce(string name)
    {
        _client.Write(0, new byte[Block]);
        _first.RefusesWith = -28;
        Volume.Drain();
        for (long tries = 0; tries < 8; tries++)
        {
            Await(() => _first.Writes > tries);
        }
        // The last of them has been answered too.
        _client.Until(() => new StatusFigures(Volume).TextOf("writeback_pace") == "rest");
        _time.Hold();
        for (int i = 0; i < 3; i++)
        {
            long tried = _first.Writes;
            string error = Refused(name);
            Assert.Contains("backing device 'a'", error, StringComparison.Ordinal);
            Assert.Contains("No space left on device", error, StringComparison.Ordinal);
            Assert.True(_first.Writes > tried, "nothing was tried");
        }
        _first.RefusesWith = 0;
        Give(name);
        Assert.True(Volume.IsDrained);
    }

    /// <summary>So do those that need the cache device.</summary>
    [Fact]
    public void ACommitIsTriedAtOnce()
    {
        _cache.RefusesWith = -28;
        Func<OrderProgress> first = Volume.BeginCommit();
        for (long tries = 0; tries < 8 * LogPort.MaxAttempts; tries++)
        {
            Await(() => _cache.Writes > tries);
        }
        _client.Until(() => Volume.Health.State == VolumeState.Retrying);
        _time.Hold();
        Assert.Contains("No space left on device", Refused("commit_super_block"), StringComparison.Ordinal);
        _cache.RefusesWith = 0;
        Give("commit_super_block");
        Assert.True(first().IsOver);
    }

    /// <summary>A superblock that somebody else has asked for is nothing to them.</summary>
    [Theory]
    [InlineData("drain")]
    [InlineData("detach")]
    public void AFailedCommitIsNothingToWhoeverWaitsForWriteback(string name)
    {
        _client.Write(0, new byte[Block]);
        _client.Flush();
        _first.Hold = IoKind.Write;
        Task<string> order = Task.Run(() => Carry(name), TestContext.Current.CancellationToken);
        _client.Until(() => _first.HeldCount > 0);
        _cache.WritesToFail = LogPort.MaxAttempts;
        Assert.Contains("superblock", Refused("commit_super_block"), StringComparison.Ordinal);
        _client.Until(() => Volume.Health.State == VolumeState.Healthy);
        Assert.False(order.IsCompleted, "it has ended");
        _first.Release();
        _client.Await(() => order.GetAwaiter().GetResult());
        Assert.True(Volume.IsDrained);
    }

    // Pauses are over soon.
    private void Await(Func<bool> condition) => _client.Until(() =>
    {
        _time.Skip(TurnUs);
        return condition();
    });

    private string Carry(string name)
    {
        if (name != "detach")
            return VolumeCommand.Find(WriteboostCommands.Of(Volume), name).Run(new Patient());
        Volume.Detach("a", static () => false);
        return name;
    }

    private string Give(string name) => _client.Await(() => Carry(name));

    private string Refused(string name) => Assert.Throws<UserErrorException>(() => Give(name)).Message;

    /// <summary>The system's, which may be put forward, and may stand still.</summary>
    private sealed class HeldTime : TimeProvider
    {
        private long _ahead;
        private long _held;

        public void Skip(long us) => _ahead += us * (TimestampFrequency / 1_000_000);

        public void Hold() => _held = GetTimestamp();

        public override long GetTimestamp() => _held != 0 ? _held : base.GetTimestamp() + _ahead;
    }
}

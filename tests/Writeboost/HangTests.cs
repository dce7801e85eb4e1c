using System;
using System.Threading.Tasks;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Weir.Core.Writeboost.Volume;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>A backing device that ends nothing: whoever waits for it is told, and all else goes on.</summary>
public sealed class HangTests : IDisposable
{
    private const int Block = 4096;
    private readonly RamDevice _flash = new(6 << 20), _disk = new(2 << 20), _other = new(3 << 20);
    private readonly RamDevice _third = new(4 << 20);
    private readonly CountingDevice _cache, _first, _second;
    private readonly WriteboostOptions _options = new() { RamSegments = 4, AllowWriteback = false };
    private DirectClient _client;

    public HangTests()
    {
        (_cache, _first, _second) =
            (new CountingDevice(_flash), new CountingDevice(_disk), new CountingDevice(_other));
        (_cache.HeldMs, _first.HeldMs, _second.HeldMs) = (Silence.HangMs, Silence.HangMs, Silence.HangMs);
        using (RingContext io = new()) WriteboostFormat.Format(io, _flash, Layout.Native, 128 << 10, Guid.NewGuid);
        _client = Start();
    }

    private WriteboostVolume Volume => _client.Volume;

    public void Dispose()
    {
        _client.Dispose();
        _flash.Dispose();
        _disk.Dispose();
        _other.Dispose();
        _third.Dispose();
    }

    [Theory]
    [InlineData("drain")]
    [InlineData("drop_caches")]
    public void AnOrderThatWaitsForItFailsAndStands(string name)
    {
        _client.Write(0, new byte[Block]);
        _first.Hold = IoKind.Write;
        string error = Refused(() => VolumeCommand.Find(WriteboostCommands.Of(Volume), name).Run(new Patient()));
        Assert.Equal($"{name}: 1 block (4 KiB) is still dirty: backing device 'a' {_first.Name} has not answered for "
            + "10 s", error);
        Assert.Contains("has not answered", new StatusFigures(Volume).TextOf("not_answering"));
        // What does not need it is served.
        _client.Device = 1;
        _client.Write(0, new byte[Block]);
        VolumeCommand flush = VolumeCommand.Find(WriteboostCommands.Of(Volume), "flush_current_buffer");
        string said = _client.Await(() => flush.Run(new Patient()));
        Assert.StartsWith("flush_current_buffer: done", said, StringComparison.Ordinal);
        _first.Release();
        _client.Until(() => !Volume.IsDraining && Volume.DirtyData.BlocksOf(1) == 0);
        Assert.Null(Volume.Hang);
    }

    [Fact]
    public void DevicesDoNotComeOrGoMeanwhileAndThatIsSaid()
    {
        _client.Write(0, new byte[Block]);
        _first.Hold = IoKind.Write;
        Volume.Drain();
        _client.Until(() => _first.HeldCount > 0);
        string attach = Refused(AttachThird);
        Assert.Contains("backing device 'a'", attach, StringComparison.Ordinal);
        Assert.StartsWith("b: stays attached: ", Refused(() => Detach("b")), StringComparison.Ordinal);
        _first.Release();
        _client.Until(() => Volume.IsDrained);
        _client.Await(() => Detach("b"));
    }

    /// <summary>A batch that was called off for an order is not done because the order has been turned back.</summary>
    [Theory]
    [InlineData(RequestKind.Write, IoKind.Write)]
    [InlineData(RequestKind.Discard, IoKind.Discard)]
    [InlineData(RequestKind.WriteZeroes, IoKind.Discard)]
    public void WhatABatchHadNotWrittenWhenItWasCalledOffStaysDirty(RequestKind kind, IoKind held) =>
        Assert.Equal(0, OldAfterACall(kind, held));

    [Fact]
    public void WhatWasCalledOffMayNotPass()
    {
        Mutant.Active = WriteboostMutant.R8CalledOffPasses;
        try
        {
            Assert.NotEqual(0, OldAfterACall(RequestKind.Write, IoKind.Write));
        }
        finally
        {
            Mutant.Active = null;
        }
    }

    // How many of the blocks that are said to be clean are old on the disk.
    private unsafe int OldAfterACall(RequestKind kind, IoKind held)
    {
        const int Count = 120;
        new Span<byte>(_disk.Start, (int)_disk.SizeBytes).Fill(0xee);
        for (int i = 0; i < Count; i++) Assert.Equal(0, _client.Run(kind, 4L * i * Block, Block));
        _first.Hold = held;
        Volume.Drain();
        _client.Until(() => _first.HeldCount > 0);
        Assert.StartsWith("c: interrupted: ", Refused(AttachThird), StringComparison.Ordinal);
        _first.Release();
        _client.Until(() => Volume.IsDrained);
        int old = 0;
        for (int i = 0; i < Count; i++) old += _disk.Start[4L * i * Block] == 0xee ? 1 : 0;
        return old;
    }

    /// <summary>It hangs with the last thing that a detach needs of it.</summary>
    [Fact]
    public void ADeviceThatHangsWhenItIsToGoIsServedAgainWhenItAnswers()
    {
        _second.Hold = IoKind.Flush;
        Assert.StartsWith("b: stays attached: ", Refused(() => Detach("b")), StringComparison.Ordinal);
        _client.Device = 1;
        Assert.Equal(-108, _client.Run(RequestKind.Read, 0, Block));
        // Nor does whoever comes next, for this device or another.
        Assert.StartsWith("b: stays attached: ", Refused(() => Detach("b")), StringComparison.Ordinal);
        Assert.StartsWith("c: interrupted: backing device 'b'", Refused(AttachThird), StringComparison.Ordinal);
        _second.Release();
        _client.Until(() => _client.Run(RequestKind.Read, 0, Block) == 0);
        _client.Device = 0;
        _client.Await(() => Detach("b"));
    }

    /// <summary>One flush at a time: another device's is waited for.</summary>
    [Fact]
    public void ADeviceStaysWhileTheFlushOfAnotherHangs()
    {
        Volume.Hangs.PatienceMs = 0;
        _options.WriteAround = true;
        _client.Device = 1;
        _client.Write(0, new byte[Block]);
        // Nothing is to be written back: a detach comes to its flush at once. The one before it is nobody's request.
        Assert.True(Volume.IsDrained);
        _second.Hold = IoKind.Flush;
        _client.Until(() => _second.HeldCount > 0);
        Assert.StartsWith("a: stays attached: ", Refused(() => Detach("a")), StringComparison.Ordinal);
        // Nor does one come: its queue looks at devices only between flushes.
        Assert.StartsWith("c: interrupted: backing device 'b'", Refused(AttachThird), StringComparison.Ordinal);
        _client.Device = 0;
        Assert.Equal(0, _client.Run(RequestKind.Read, 0, Block));
        _second.Release();
        _client.Await(() => Detach("a"));
    }

    /// <summary>The cache device takes a table and does not end that: whoever waits is told, and all stays.</summary>
    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, false)]
    public void ATableThatHangsIsWrittenAgainAsItWas(bool attaches, bool samples)
    {
        using SampleTable found = new(default);
        using DeviceTable devices = new(default);
        (_cache.Hold, _cache.HoldAt) = (IoKind.Write, samples ? found.OffsetA : devices.OffsetA);
        Func<string> order = attaches ? AttachThird : () => Detach("b");
        string said = attaches ? "c: interrupted" : "b: stays attached: interrupted";
        for (int i = 0; i < 2; i++)
            Assert.StartsWith(said + ": cache device", Refused(order), StringComparison.Ordinal);
        _cache.Release();
        _client.Device = 1;
        _client.Until(() => _client.Run(RequestKind.Read, 0, Block) == 0);
        // The next order comes when that is done.
        Assert.Contains("no such device", Refused(() => Detach("d")), StringComparison.Ordinal);
        Assert.Equal(VolumeState.Healthy, Volume.Health.State);
        // As a start finds it.
        _client.Dispose();
        _client = Start();
        Assert.Equal(2, Volume.Backings.ToList().Count);
        _client.Await(order);
        Assert.Equal(attaches ? 3 : 1, Volume.Backings.ToList().Count);
    }

    /// <summary>It has a read that does not end: that is nothing to the others.</summary>
    [Fact]
    public async Task WhatIsNothingToItGoesOn()
    {
        Volume.Hangs.PatienceMs = long.MaxValue;
        _client.Await(AttachThird);
        _client.Write(0, new byte[Block]);
        _second.Hold = IoKind.Read;
        _client.Device = 1;
        _client.Begin(RequestKind.Read, 0, Block, default);
        _client.Until(() => _second.HeldCount > 0);
        Assert.NotNull(Volume.Hang);
        VolumeCommand drain = VolumeCommand.Find(WriteboostCommands.Of(Volume), "drain");
        _client.Await(() => drain.Run(new Patient()));
        // The order is asked about several times before the device that it is for, which is slow, has ended.
        (_first.Hold, _first.HeldMs) = (IoKind.Flush, 0);
        int asked = 0;
        Task detach = Task.Run(() => Volume.Detach("a", () => ++asked < 0), TestContext.Current.CancellationToken);
        _client.Until(() => asked > 3);
        Assert.False(detach.IsCompleted);
        _first.Release();
        _client.Until(() => detach.IsCompleted);
        await detach;
        _second.Release();
        _client.EndAll();
    }

    private DirectClient Start() => new(
        _cache, [new BackingSpec(null, "a", _first), new BackingSpec(null, "b", _second)], _options);

    private string AttachThird() => $"{Volume.Attach(new BackingSpec(null, "c", new KeptDevice(_third)))}";

    private string Detach(string name)
    {
        Volume.Detach(name, static () => false);
        return name;
    }

    private string Refused(Func<string> order) => Assert.Throws<UserErrorException>(() => _client.Await(order)).Message;
}

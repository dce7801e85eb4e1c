using System;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>A backing device that ends nothing: whoever waits for it is told, and all else goes on.</summary>
public sealed class HangTests : IDisposable
{
    private const int Block = 4096;
    private readonly RamDevice _flash = new(6 << 20), _disk = new(2 << 20), _other = new(3 << 20);
    private readonly RamDevice _third = new(4 << 20);
    private readonly CountingDevice _first, _second;
    private readonly DirectClient _client;

    public HangTests()
    {
        (_first, _second) = (new CountingDevice(_disk), new CountingDevice(_other));
        (_first.HeldMs, _second.HeldMs) = (Silence.HangMs, Silence.HangMs);
        using (RingContext io = new()) WriteboostFormat.Format(io, _flash, Layout.Native, 128 << 10, Guid.NewGuid);
        _client = new DirectClient(
            _flash, [new BackingSpec(null, "a", _first), new BackingSpec(null, "b", _second)],
            new WriteboostOptions { RamSegments = 4, AllowWriteback = false });
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
        string error = Refused(() => Tunable.Find(WriteboostTunables.OrdersTo(Volume), name).Carry(new Patient()));
        Assert.Equal($"{name}: 1 block (4 KiB) is still dirty: backing device 'a' {_first.Name} has not answered for "
            + "10 s", error);
        Assert.Contains("has not answered", new StatusFigures(Volume).TextOf("not_answering"));
        // What does not need it is served.
        _client.Device = 1;
        _client.Write(0, new byte[Block]);
        Tunable flush = Tunable.Find(WriteboostTunables.OrdersTo(Volume), "flush_current_buffer");
        string said = _client.Await(() => flush.Carry(new Patient()));
        Assert.StartsWith("flush_current_buffer: done", said, StringComparison.Ordinal);
        _first.Release();
        _client.Until(() => !Volume.IsDraining && Volume.DirtyBlocksOf(1) == 0);
        Assert.Null(Volume.Hang);
    }

    [Fact]
    public void DevicesDoNotComeOrGoMeanwhileAndThatIsSaid()
    {
        _client.Write(0, new byte[Block]);
        _first.Hold = IoKind.Write;
        Volume.Drain();
        _client.Until(() => _first.HeldCount > 0);
        string attach = Refused(() => $"{Volume.Attach(new BackingSpec(null, "c", new KeptDevice(_third)))}");
        Assert.Contains("backing device 'a'", attach, StringComparison.Ordinal);
        Assert.StartsWith("b: stays attached: ", Refused(() => Detach("b")), StringComparison.Ordinal);
        _first.Release();
        _client.Until(() => Volume.IsDrained);
        _client.Await(() => Detach("b"));
    }

    /// <summary>It hangs with the last thing that a detach needs of it.</summary>
    [Fact]
    public void ADeviceThatHangsWhenItIsToGoIsServedAgainWhenItAnswers()
    {
        _second.Hold = IoKind.Flush;
        Assert.StartsWith("b: stays attached: ", Refused(() => Detach("b")), StringComparison.Ordinal);
        _client.Device = 1;
        Assert.Equal(-108, _client.Run(RequestKind.Read, 0, Block));
        _second.Release();
        _client.Until(() => _client.Run(RequestKind.Read, 0, Block) == 0);
        _client.Device = 0;
        _client.Await(() => Detach("b"));
    }

    private string Detach(string name)
    {
        Volume.Detach(name, static () => false);
        return name;
    }

    private string Refused(Func<string> order) => Assert.Throws<UserErrorException>(() => _client.Await(order)).Message;
}

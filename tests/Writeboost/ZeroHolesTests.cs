using System;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Passthrough;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>Zeroes become holes where the client permits them, and keep their space where it does not.</summary>
public sealed class ZeroHolesTests : IDisposable
{
    private const int SegmentBytes = 128 << 10;

    private readonly RamDevice _cache = new(6 << 20), _first = new(4 << 20), _second = new((4 << 20) + 4096);
    private readonly CountingDevice _one, _two;

    public ZeroHolesTests()
    {
        (_one, _two) = (new CountingDevice(_first), new CountingDevice(_second));
        using RingContext io = new();
        WriteboostFormat.Format(io, _cache, Layout.Native, SegmentBytes, Guid.NewGuid);
    }

    public void Dispose()
    {
        _cache.Dispose();
        _first.Dispose();
        _second.Dispose();
    }

    private DirectClient Open(params Device[] devices) =>
        new(_cache, Array.ConvertAll(devices, device => new BackingSpec(null, device == _one ? "one" : "two", device)),
            new WriteboostOptions { RamSegments = 4, AllowWriteback = false });

    private static long Holes(CountingDevice device) => device.Counts[(int)IoKind.Discard];

    private static long Kept(CountingDevice device) => device.Counts[(int)IoKind.WriteZeroes];

    private static void Zero(DirectClient client, long offset, long length, bool noHole) => Assert.Equal(0,
        client.Run(RequestKind.WriteZeroes, offset, length, flags: noHole ? RequestFlags.NoHole : RequestFlags.None));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void TheClientDecides(bool noHole)
    {
        using DirectClient client = Open(_one);
        Zero(client, 0, 1 << 20, noHole);
        client.DrainAll();
        Assert.Equal(noHole ? (0, 1) : (1, 0), (Holes(_one), Kept(_one)));
        client.Stop();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ItIsStillKnownAfterACrash(bool noHole)
    {
        using (DirectClient client = Open(_one))
        {
            Zero(client, 0, 1 << 20, noHole);
            client.Flush();
        }
        _one.Clear();
        using DirectClient again = Open(_one);
        again.DrainAll();
        Assert.Equal(noHole ? (0, 1) : (1, 0), (Holes(_one), Kept(_one)));
        again.Stop();
    }

    /// <summary>What the log holds for a device that is not there moves on as what it is.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ItIsStillKnownAfterAMove(bool noHole)
    {
        using (DirectClient client = Open(_one, _two))
        {
            client.Device = 1;
            Zero(client, 0, 1 << 20, noHole);
            client.Stop();
        }
        Prng random = new(1);
        using (DirectClient client = Open(_one))
        {
            for (int i = 0; i < 3000; i++) client.Write(random.Below(900) * 4096L, new byte[4096]);
            client.Stop();
        }
        using DirectClient last = Open(_one, _two);
        last.DrainAll();
        Assert.Equal(noHole, Holes(_two) == 0);
        Assert.Equal(noHole, Kept(_two) > 0);
        last.Stop();
    }

    /// <summary>A single block makes a hole too; with NO_HOLE it is a block of zeroes that is written.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void OneBlockIsEnough(bool noHole)
    {
        using DirectClient client = Open(_one);
        Zero(client, 8192, 4096, noHole);
        client.DrainAll();
        Assert.Equal(noHole ? (0, 0, 1) : (1, 0, 0), (Holes(_one), Kept(_one), _one.Writes));
        client.Stop();
    }

    /// <summary>Zeroes that the client wrote are data.</summary>
    [Fact]
    public void WrittenZeroesStayData()
    {
        using DirectClient client = Open(_one);
        client.Write(0, new byte[65536]);
        client.DrainAll();
        Assert.Equal((0, 0), (Holes(_one), Kept(_one)));
        Assert.True(_one.Writes > 0);
        client.Stop();
    }

    /// <summary>Where both kinds meet, space that shall be kept is allocated last.</summary>
    [Fact]
    public void HolesAreMadeBeforeSpaceIsTaken()
    {
        using DirectClient client = Open(_one);
        Zero(client, 0, 1 << 20, noHole: true);
        Zero(client, 1 << 19, 1 << 20, noHole: false);
        _one.Hold = IoKind.Discard;
        client.Volume.Drain();
        client.Until(() => _one.HeldCount == 1);
        client.HasEnded(2000);
        Assert.Equal(0, Kept(_one));
        _one.Release();
        client.DrainAll();
        Assert.Equal(1, Kept(_one));
        client.Stop();
    }

    [Fact]
    public void NeighboursBecomeOneHole()
    {
        using DirectClient client = Open(_one);
        for (int i = 0; i < 6; i++) Zero(client, i * 65536L, 65536, noHole: false);
        client.DrainAll();
        Assert.Equal(1, Holes(_one));
        client.Stop();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void WithoutACacheToo(bool noHole)
    {
        using PassthroughVolume volume = new(new KeptDevice(_one), "v");
        using QueueDriver driver = new(volume);
        RequestFlags flags = noHole ? RequestFlags.NoHole : RequestFlags.None;
        Assert.Equal(0, driver.Do(RequestKind.WriteZeroes, 0, 1 << 20, flags));
        Assert.Equal(noHole ? (0, 1) : (1, 0), (Holes(_one), Kept(_one)));
        driver.Stop();
    }
}

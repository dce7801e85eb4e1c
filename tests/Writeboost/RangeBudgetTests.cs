using System;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>Discards that wait for the budget of ranges hold up themselves, and nobody else.</summary>
public sealed class RangeBudgetTests : IDisposable
{
    private const int Budget = 16, SegmentBytes = 128 << 10, BlocksPerSegment = 31;
    private const int Eshutdown = 108;

    private readonly RamDevice _cache = new(8 << 20), _disk = new(32 << 20);
    private readonly CountingDevice _backing;

    public RangeBudgetTests()
    {
        _backing = new CountingDevice(_disk);
        using RingContext io = new();
        WriteboostFormat.Format(io, _cache, Layout.Native, SegmentBytes, Guid.NewGuid);
    }

    public void Dispose()
    {
        _cache.Dispose();
        _disk.Dispose();
    }

    private DirectClient Open(int budget = Budget) =>
        new(_cache, _backing, new WriteboostOptions { RamSegments = 4, RangeBudget = budget });

    private static void UseUpBudget(DirectClient client)
    {
        for (int i = 0; i < Budget; i++) Assert.Equal(0, client.Run(RequestKind.Discard, i * 16384L, 8192));
    }

    [Theory]
    [InlineData(RequestKind.Discard)]
    [InlineData(RequestKind.WriteZeroes)]
    public void WritesPassOneThatWaits(RequestKind kind)
    {
        using DirectClient client = Open();
        _backing.Hold = IoKind.Discard;
        UseUpBudget(client);
        client.Begin(kind, 1 << 20, 8192, []);
        byte[] data = new byte[8192];
        data.AsSpan().Fill(7);
        for (int i = 0; i < 3 * BlocksPerSegment; i++) client.Write((2 << 20) + (i * 8192L), data);
        Assert.Equal(0, client.Run(RequestKind.Flush, 0, 0));
        // One block needs no budget, and an edge needs none.
        Assert.Equal(0, client.Run(RequestKind.Discard, 3 << 20, 4096));
        Assert.Equal(0, client.Run(RequestKind.WriteZeroes, (3 << 20) + 512, 4096));
        Assert.False(client.HasEnded(1000));
        _backing.Release();
        client.EndAll();
        Assert.Equal(data, client.Read(2 << 20, 8192));
        Assert.All(client.Read(1 << 20, 8192), static value => Assert.Equal(0, value));
        client.Stop();
    }

    /// <summary>A second one that waits, with writes between, and the order in which they came.</summary>
    [Fact]
    public void ThoseThatWaitHaveTheirTurnsWhenTheBudgetComesBack()
    {
        using DirectClient client = Open();
        _backing.Hold = IoKind.Discard;
        UseUpBudget(client);
        for (int i = 0; i < 3; i++) client.Begin(RequestKind.Discard, (1 << 20) + (i * 16384L), 8192, []);
        client.Write(2 << 20, new byte[4096]);
        _backing.Release();
        client.EndAll();
        client.Stop();
    }

    /// <summary>A segment of ranges is all that must be written back before some of it is there again.</summary>
    [Fact]
    public void TheBudgetComesBackSegmentBySegment()
    {
        using DirectClient client = Open(4 * BlocksPerSegment);
        for (int i = 0; i < 4 * BlocksPerSegment; i++) client.Run(RequestKind.Discard, i * 16384L, 8192);
        // All but the first segment's.
        _backing.Hold = IoKind.Discard;
        _backing.HoldFrom = BlocksPerSegment * 16384L;
        client.Begin(RequestKind.Discard, 3 << 20, 8192, []);
        client.EndAll();
        _backing.Release();
        client.Stop();
    }

    [Fact]
    public void AStopWaitsForNoBudget()
    {
        using DirectClient client = Open();
        _backing.Hold = IoKind.Discard;
        UseUpBudget(client);
        for (int i = 0; i < 3; i++) client.Begin(RequestKind.Discard, (1 << 20) + (i * 16384L), 8192, []);
        Assert.False(client.HasEnded(1000));
        client.Hurry();
        client.EndAll();
        _backing.Release();
        client.Stop();
        using DirectClient again = Open();
        Assert.All(again.Read(1 << 20, 8192), static value => Assert.Equal(0, value));
        again.DrainAll();
        again.Stop();
    }

    [Fact]
    public void AStopRefusesWritesThatWaitForRoomTooLong()
    {
        using DirectClient client = Open();
        _backing.Hold = IoKind.Write;
        byte[] data = new byte[32768];
        long offset = 0;
        do
        {
            client.EndAll();
            client.Begin(RequestKind.Write, offset, data.Length, data);
            offset += data.Length;
            while (!client.HasEnded(1000) && !client.Volume.Throttle.IsHolding && !client.Volume.Log.IsStarved) { }
        }
        while (client.HasEnded(1000));
        client.Hurry();
        Assert.Equal(-Eshutdown, client.EndOne());
        _backing.Release();
        client.Stop();
    }
}

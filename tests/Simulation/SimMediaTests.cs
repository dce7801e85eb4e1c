using System;
using Weir.Core.Base;
using Xunit;

namespace Weir.Tests.Simulation;

/// <summary>The simulated medium keeps and loses what it should.</summary>
public sealed unsafe class SimMediaTests
{
    private const int Size = 1 << 20;

    [Fact]
    public void AFlushCoversWhatCompletedBeforeItWasSubmitted()
    {
        using var media = new SimMedia(Size, 512);
        Write(media, 0, 1);
        long limit = media.Seq;
        Write(media, 512, 2);
        media.MakeDurable(limit);
        var random = new Prng(1);
        media.PowerCut(CutMode.AllLost, ref random);
        Assert.Equal(1, media.Current[0]);
        Assert.Equal(0, media.Current[512]);
    }

    [Fact]
    public void AnOlderVersionMaySurviveTheNewer()
    {
        int older = 0;
        for (ulong seed = 0; seed < 100; seed++)
        {
            using var media = new SimMedia(Size, 512);
            Write(media, 0, 1);
            Write(media, 0, 2);
            var random = new Prng(seed);
            media.PowerCut(CutMode.CoinPerSector, ref random);
            Assert.Equal(media.Durable[0], media.Current[0]);
            if (media.Current[0] == 1) older++;
        }
        Assert.InRange(older, 5, 60);
    }

    [Fact]
    public void AFailedFlushForgetsForGood()
    {
        using var media = new SimMedia(Size, 512);
        for (int i = 0; i < 100; i++) Write(media, i * 512, 1);
        var random = new Prng(3);
        media.FailFlush(media.Seq, ref random);
        media.MakeDurable(media.Seq);
        media.PowerCut(CutMode.AllKept, ref random);
        int lost = 0;
        for (int i = 0; i < 100; i++)
        {
            lost += 1 - media.Current[i * 512];
            Assert.Equal(media.Current[i * 512] == 0, media.HasDropped(i * 512));
        }
        Assert.InRange(lost, 20, 80);
        for (int i = 0; i < 100; i++) Write(media, i * 512, 2);
        for (int i = 0; i < 100; i++) Assert.False(media.HasDropped(i * 512));
    }

    /// <summary>What came after a failed flush is no loss of that flush's, whether it is there or not.</summary>
    [Theory]
    [InlineData(CutMode.AllKept, true)]
    [InlineData(CutMode.AllKept, false)]
    [InlineData(CutMode.AllLost, true)]
    [InlineData(CutMode.AllLost, false)]
    public void OnlyAFailedFlushHasDropped(CutMode mode, bool flushed)
    {
        using var media = new SimMedia(Size, 512);
        for (int i = 0; i < 100; i++) Write(media, i * 512, 1);
        var random = new Prng(3);
        media.FailFlush(media.Seq, ref random);
        for (int i = 0; i < 100; i++) Write(media, i * 512, 2);
        if (flushed) media.MakeDurable(media.Seq);
        media.PowerCut(mode, ref random);
        for (int i = 0; i < 100; i++) Assert.False(media.HasDropped(i * 512));
    }

    [Theory]
    [InlineData(512, true)]
    [InlineData(4096, false)]
    public void AWriteTearsAtTheDevicesUnit(int unitBytes, bool torn)
    {
        bool seen = false;
        for (ulong seed = 0; seed < 50; seed++)
        {
            using var media = new SimMedia(Size, unitBytes);
            Write(media, 0, 1, 4096);
            var random = new Prng(seed);
            media.PowerCut(CutMode.CoinPerSector, ref random);
            seen |= new ReadOnlySpan<byte>(media.Current, 4096).IndexOfAnyExcept(media.Current[0]) >= 0;
        }
        Assert.Equal(torn, seen);
    }

    [Fact]
    public void ATagNamesItsWriteAndItsSector()
    {
        byte* sector = stackalloc byte[512];
        SectorTag.Fill(sector, 7, 1, 42);
        Assert.Equal(42UL, SectorTag.Parse(sector, 7));
        Assert.True(SectorTag.IsForeign(SectorTag.Parse(sector, 8)));
        sector[300] ^= 1;
        Assert.True(SectorTag.IsForeign(SectorTag.Parse(sector, 7)));
        new Span<byte>(sector, 512).Clear();
        Assert.Equal(0UL, SectorTag.Parse(sector, 7));
        sector[511] = 1;
        Assert.True(SectorTag.IsForeign(SectorTag.Parse(sector, 7)));
    }

    private static void Write(SimMedia media, long offset, byte value, int length = 512)
    {
        byte* data = stackalloc byte[4096];
        new Span<byte>(data, length).Fill(value);
        media.Write(offset, length, data);
    }
}

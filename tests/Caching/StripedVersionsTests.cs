using System.Threading;
using Weir.Core.Caching;
using Xunit;

namespace Weir.Tests.Caching;

/// <summary>Every change between two samples shows, and who is at work is seen (R10).</summary>
public sealed class StripedVersionsTests
{
    private const ulong Key = (1UL << 40) + 1000;

    [Fact]
    public void AChangeThatBeganShowsForEver()
    {
        using StripedVersions table = new(1 << 16);
        long before = table.Sample(Key, 40);
        Assert.False(table.BeginLogging(Key + 39, 1));
        Assert.Equal(StripedVersions.Busy, table.Sample(Key, 40));
        table.EndLogging(Key + 39, 1);
        Assert.NotEqual(before, table.Sample(Key, 40));
        Assert.NotEqual(StripedVersions.Busy, table.Sample(Key, 40));
        long between = table.Sample(Key, 40);
        table.BeginAround(Key, 8);
        table.EndAround(Key, 8);
        Assert.NotEqual(between, table.Sample(Key, 40));
    }

    [Fact]
    public void ARangeShowsForEveryBlock()
    {
        using StripedVersions table = new(1 << 16);
        long before = table.Sample(Key, 1);
        table.BeginRange();
        Assert.Equal(StripedVersions.Busy, table.Sample(Key, 1));
        Assert.True(table.BeginAround(Key, 1));
        table.EndAround(Key, 1);
        table.EndRange();
        Assert.True(table.Sample(Key, 1) > before);
    }

    [Fact]
    public void WhoLogsAndWhoGoesRoundSeeOneAnother()
    {
        using StripedVersions table = new(1 << 16);
        Assert.False(table.BeginAround(Key, 100));
        Assert.True(table.BeginLogging(Key + 99, 1));
        table.EndLogging(Key + 99, 1);
        Assert.False(table.BeginAround(Key, 100));
        table.EndAround(Key, 100);
        table.EndAround(Key, 100);
        Assert.False(table.BeginLogging(Key, 8));
        Assert.True(table.BeginAround(Key + 7, 1));
        table.EndAround(Key + 7, 1);
        table.EndLogging(Key, 8);
        Assert.False(table.BeginAround(Key, 1));
    }

    [Fact]
    public void SumsOfCellsAreThoseOfTheirRun()
    {
        using StripedVersions table = new(1 << 16);
        table.BeginLogging(Key + 3, 30);
        table.EndLogging(Key + 3, 30);
        long sum = StripedVersions.Sum(table.SampleRanges(), table.SampleGranule(Key));
        for (int i = 1; i < 50; i++)
            if (StripedVersions.IsGranuleStart(Key + (ulong)i))
                sum = StripedVersions.Sum(sum, table.SampleGranule(Key + (ulong)i));
        Assert.Equal(table.Sample(Key, 50), sum);
        Assert.Equal(StripedVersions.Busy, StripedVersions.Sum(StripedVersions.Busy, 3));
    }

    [Fact]
    public void ManyThreadsAtWorkLeaveNobodyAtWork()
    {
        using StripedVersions table = new(1 << 10);
        Thread[] threads = new Thread[4];
        for (int t = 0; t < threads.Length; t++)
        {
            ulong key = (ulong)t * 5;
            threads[t] = new Thread(() =>
            {
                for (int i = 0; i < 20_000; i++)
                {
                    table.BeginLogging(key, 20);
                    table.EndLogging(key, 20);
                    table.BeginAround(key, 9);
                    table.EndAround(key, 9);
                }
            });
            threads[t].Start();
        }
        foreach (Thread thread in threads) thread.Join();
        Assert.NotEqual(StripedVersions.Busy, table.Sample(0, 64));
    }
}

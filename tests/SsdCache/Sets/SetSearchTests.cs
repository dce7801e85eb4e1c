using System.Numerics;
using FsCheck;
using FsCheck.Fluent;
using Weir.Core.Base;
using Weir.Core.SsdCache.Sets;
using Xunit;

namespace Weir.Tests.SsdCache.Sets;

/// <summary>The vector forms against their twins, and the twins against what is plain.</summary>
public sealed unsafe class SetSearchTests
{
    private const int Ways = 16;

    [Fact]
    public void VectorsFindWhatTheirTwinsFind() => Prop.ForAll(ArbMap.Default.ArbFor<int>(), static seed =>
    {
        Prng random = new((ulong)seed);
        using AlignedMemory memory = new(256);
        uint* words = (uint*)memory.Pointer;
        byte* counts = memory.Pointer + 64;
        for (int round = 0; round < 50; round++)
        {
            Fill(ref random, words, counts);
            uint ways = (uint)random.Between(1, 0xFFFF), now = words[random.Below(Ways)] + (uint)random.Below(5);
            Assert.Equal(SetSearch.EqualScalar(words, words[3]), SetSearch.Equal(words, words[3]));
            Assert.Equal(SetSearch.EqualScalar(words, 0), SetSearch.Equal(words, 0));
            Assert.Equal(SetSearch.AnyScalar(words, 5), SetSearch.Any(words, 5));
            Assert.Equal(SetSearch.CountedScalar(counts), SetSearch.Counted(counts));
            Assert.Equal(
                SetSearch.FewestScalar(counts, ways, out byte few), SetSearch.Fewest(counts, ways, out byte own));
            Assert.Equal(few, own);
            Assert.Equal(SetSearch.OldestScalar(words, ways, now, out uint old), SetSearch.Oldest(words, ways, now,
                out uint age));
            Assert.Equal(old, age);
        }
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void ATagIsFoundInEveryWay()
    {
        using AlignedMemory memory = new(64);
        uint* tags = (uint*)memory.Pointer;
        for (int way = 0; way < Ways; way++) tags[way] = 100 + (uint)way;
        for (int way = 0; way < Ways; way++) Assert.Equal(way, SetSearch.FindTag(tags, 100 + (uint)way));
        Assert.Equal(-1, SetSearch.FindTag(tags, 99));
        Assert.Equal(-1, SetSearch.FindTag(tags, 0));
    }

    [Fact]
    public void TimesMayWrapAndBeALittleAhead()
    {
        using AlignedMemory memory = new(64);
        uint* times = (uint*)memory.Pointer;
        const uint now = 1000;
        for (int way = 0; way < Ways; way++) times[way] = now;
        (times[4], times[9]) = (now + 50, unchecked(now - 2000));
        Assert.Equal(9, SetSearch.Oldest(times, SetSearch.All, now, out uint age));
        Assert.Equal(2000 + SetSearch.Skew, age);
        // One that another thread has stored with a later clock is not the oldest of all.
        Assert.Equal(3, SetSearch.Oldest(times, 1 << 4 | 1 << 3, now, out _));
    }

    [Fact]
    public void TheFewestUsesAreTheSmallestCountOfThoseAsked()
    {
        using AlignedMemory memory = new(64);
        byte* counts = memory.Pointer;
        for (int way = 0; way < Ways; way++) counts[way] = (byte)(way * 17);
        for (int way = 0; way < Ways; way++)
        {
            uint ways = SetSearch.All & (SetSearch.All << way);
            Assert.Equal(1u << way, SetSearch.Fewest(counts, ways, out byte count));
            Assert.Equal(way * 17, count);
            Assert.Equal(Ways - way, BitOperations.PopCount(ways));
        }
    }

    // Few values, and the largest, so that some are equal.
    private static void Fill(ref Prng random, uint* words, byte* counts)
    {
        for (int way = 0; way < Ways; way++)
        {
            words[way] = random.Chance(70) ? (uint)random.Below(6) : (uint)random.Next();
            counts[way] = random.Chance(80) ? (byte)random.Below(4) : (byte)random.Next();
            if (random.Chance(10)) counts[way] = byte.MaxValue;
        }
    }
}

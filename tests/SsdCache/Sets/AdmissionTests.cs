using Weir.Core.SsdCache.Sets;
using Xunit;

namespace Weir.Tests.SsdCache.Sets;

/// <summary>Who comes in.</summary>
public sealed class AdmissionTests
{
    [Fact]
    public void TheRuleDecides()
    {
        using Admission admission = new(1000);
        Assert.True(admission.Admits(5));
        admission.Rule = AdmitRule.Never;
        Assert.False(admission.Admits(5));
        Assert.False(admission.Admits(5));
        admission.Rule = AdmitRule.SecondRead;
        Assert.False(admission.Admits(5));
        Assert.True(admission.Admits(5));
        Assert.False(admission.Admits(6));
    }

    /// <summary>About as many as the cache has places; after ten times as many others nothing is left.</summary>
    [Fact]
    public void ReadsAreRememberedForAWhile()
    {
        const uint places = 4096;
        using Admission admission = new(places) { Rule = AdmitRule.SecondRead };
        int falsely = 0, remembered = 0, old = 0;
        for (uint block = 0; block < places; block++) falsely += admission.Admits(block) ? 1 : 0;
        for (uint block = places / 2; block < places; block++) remembered += admission.Admits(block) ? 1 : 0;
        for (uint block = places; block < 11 * places; block++) admission.Admits(block);
        for (uint block = 0; block < places; block++) old += admission.Admits(block) ? 1 : 0;
        Assert.InRange(falsely, 0, 8);
        Assert.InRange(remembered, (int)places * 3 / 8, (int)places / 2);
        Assert.InRange(old, 0, 16);
        Assert.Equal(2L * places, admission.MemoryBytes);
    }

    [Fact]
    public void TheSmallestCacheHasRoomToo()
    {
        using Admission admission = new(1) { Rule = AdmitRule.SecondRead };
        for (uint block = 0; block < 100; block++) admission.Admits(block);
        Assert.True(admission.Admits(99));
    }
}

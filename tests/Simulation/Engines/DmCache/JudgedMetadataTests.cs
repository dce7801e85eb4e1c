using Weir.Tests.DmCache;
using Xunit;

namespace Weir.Tests.Simulation.Engines;

/// <summary>
/// After every crash and every stop of a few simulated runs the kernel's tools say what ours say: cache_check that all
/// is well, and cache_dump the same XML.
/// </summary>
public sealed class JudgedMetadataTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(3)]
    [InlineData(11)]
    [InlineData(28)]
    [InlineData(214)]
    public void TheKernelsToolsAgree(ulong seed)
    {
        DmCacheEngine engine = new() { Judge = Judge.New };
        SimResult result = SimRun.Run(engine, seed);
        output.WriteLine($"seed {seed}: judged {engine.TimesJudged} times, {result.Crashes} crashes");
        Assert.True(result.Failure == null, result.Failure);
        Assert.True(engine.TimesJudged > 3, "nothing was judged");
    }
}

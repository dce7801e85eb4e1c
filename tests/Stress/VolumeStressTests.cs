using System;
using Weir.Core.Base;
using Weir.Core.Writeboost;
using Xunit;

namespace Weir.Tests.Stress;

/// <summary>
/// The whole engine on real threads: three queues on a cache of few and small segments, while a fourth thread changes
/// tunables, drains, drops caches, attaches and detaches devices. Every read is judged; in the end everything is read
/// again, through a cache that was opened anew and from the devices themselves. WEIR_STRESS_SECONDS: see
/// <see cref="Contention"/>.
/// </summary>
public sealed class VolumeStressTests(ITestOutputHelper output)
{
    private const int Lives = 2;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void EverythingAtOnce(bool onFiles)
    {
        using StressDevices devices = new(onFiles);
        StressVolume volume = new(devices);
        for (int life = 0; life < Lives; life++)
        {
            Exception? failure = volume.Live(Contention.EngineMs / Lives, null);
            output.WriteLine($"life {life}: {volume.Summary}");
            Assert.True(failure == null, $"{failure}");
        }
        Assert.True(devices.HasGrown, "the cache device never grew");
        Assert.True(volume.Detaches >= Lives, $"only {volume.Detaches} devices were detached");
        volume.Verify();
    }

    /// <summary>What breaks a rule in the simulation breaks it here.</summary>
    [Theory]
    [InlineData(WriteboostMutant.R9OlderBeatsRange)]
    [InlineData(WriteboostMutant.R10AroundDirty)]
    [InlineData(WriteboostMutant.R13IdReusedEarly)]
    public void AMutantIsCaught(WriteboostMutant mutant)
    {
        using StressDevices devices = new(onFiles: false);
        Contention.AssertCaught(new StressVolume(devices).Live(Contention.MutantMs, mutant));
    }
}

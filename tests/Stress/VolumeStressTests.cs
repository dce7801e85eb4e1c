using System;
using Weir.Core.Writeboost;
using Weir.Tests.Stress.Engines;
using Xunit;

namespace Weir.Tests.Stress;

/// <summary>
/// Whole engines on real threads: three queues on a cache that is too small, while a fourth thread changes tunables,
/// gives orders, attaches and detaches devices. Every read is judged; in the end everything is read again, through a
/// volume that was opened anew and from the devices themselves. WEIR_STRESS_SECONDS: see <see cref="Contention"/>.
/// </summary>
public sealed class VolumeStressTests(ITestOutputHelper output)
{
    private const int Lives = 2;

    // The engines: one line each.
    private static readonly IStressEngine[] s_engines =
        [new StressWriteboost(), new StressPassthrough(), new StressDmCache()];

    public static TheoryData<string, bool> Engines()
    {
        TheoryData<string, bool> data = [];
        foreach (IStressEngine engine in s_engines)
        {
            data.Add(engine.Name, false);
            data.Add(engine.Name, true);
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void EverythingAtOnce(string name, bool onFiles)
    {
        IStressEngine engine = Array.Find(s_engines, each => each.Name == name)!;
        using StressDevices devices = new(engine, onFiles);
        StressVolume volume = new(engine, devices);
        for (int life = 0; life < Lives; life++)
        {
            Exception? failure = volume.Live(Contention.EngineMs / Lives, null);
            output.WriteLine($"life {life}: {volume.Summary}");
            Assert.True(failure == null, $"{failure}");
        }
        Assert.True(!engine.GrowsCache || devices.HasGrown, "the cache device never grew");
        Assert.True(engine.Guests == 0 || volume.Detaches >= Lives, $"only {volume.Detaches} devices were detached");
        volume.Verify();
    }

    /// <summary>What breaks a rule in the simulation breaks it here.</summary>
    [Theory]
    [InlineData(WriteboostMutant.R9OlderBeatsRange)]
    [InlineData(WriteboostMutant.R10AroundDirty)]
    [InlineData(WriteboostMutant.R13IdReusedEarly)]
    public void AMutantIsCaught(WriteboostMutant mutant)
    {
        StressWriteboost engine = new();
        using StressDevices devices = new(engine, onFiles: false);
        Contention.AssertCaught(new StressVolume(engine, devices).Live(Contention.MutantMs, mutant));
    }
}

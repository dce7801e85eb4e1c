using Weir.Core.DmCache.Format;
using Weir.Core.DmCache.Policies;
using Weir.Tests.DmCache.Tools;
using Xunit;

namespace Weir.Tests.DmCache.Engine;

/// <summary>What policies leave at a stop is whole for the kernel's tools, whether they have hints or not.</summary>
public sealed class HintTests
{
    public static TheoryData<string> Policies
    {
        get
        {
            TheoryData<string> names = [];
            foreach (PolicyInfo info in PolicyTable.All) names.Add(info.Name);
            return names;
        }
    }

    [Theory]
    [MemberData(nameof(Policies))]
    public void MetadataOfEveryPolicyAreDumpedAsTheNewerToolDumpsThem(string policy)
    {
        for (int version = 1; version <= 2; version++)
        {
            using SmallCache cache = new(set: options => options.MetadataVersion = version);
            for (long home = 0; home < 4; home++) cache.BringIn(home);
            cache.Write(1, 11);
            cache.Volume.SetPolicy(policy);
            Assert.Equal(11, cache.Read(1));
            cache.Driver.Stop();
            MetadataImage image = cache.MetadataNow();
            foreach (Judge judge in Judge.Both) judge.Accepts(image);
            string dumped = OfflineTools.Dump(image);
            Assert.Contains($"policy=\"{policy}\" hint_width=\"4\"", dumped, System.StringComparison.Ordinal);
            Assert.Equal(Judge.New.Dump(image), dumped);
            MetadataImage restored = OfflineTools.Restore(dumped, 256, version);
            Assert.Equal(Judge.New.Dump(restored), dumped);
            // Hints are believed of the policy that they are of.
            using CacheMetadata before = image.Open(), after = restored.Open();
            Assert.Equal(before.Head.PolicyVersion, after.Head.PolicyVersion);
        }
    }
}

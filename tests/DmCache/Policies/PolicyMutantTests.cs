using System;
using Weir.Core.Base;
using Weir.Core.DmCache.Policies;
using Xunit;

namespace Weir.Tests.DmCache.Policies;

/// <summary>Broken policies are caught by the contract or by the papers.</summary>
public sealed class PolicyMutantTests
{
    private const int Seeds = 30;

    [Theory]
    [InlineData(PolicyMutant.CursorLeftBehind, "lru", "AnyOrder")]
    [InlineData(PolicyMutant.CursorLeftBehind, "sieve", "AnyOrder")]
    [InlineData(PolicyMutant.SearchFromTheStart, "lru", "FindsTheOneThatMayGo")]
    [InlineData(PolicyMutant.GateNotAsked, "fifo", "AnyOrder")]
    [InlineData(PolicyMutant.GateNotAsked, "sieve", "FindsNoneWhereNoneMayGo")]
    [InlineData(PolicyMutant.GateNotAsked, "s3fifo", "FindsNoneWhereNoneMayGo")]
    [InlineData(PolicyMutant.HintsIgnored, "lru", "ReloadDecidesAlike")]
    [InlineData(PolicyMutant.HintsIgnored, "smq", "ReloadDecidesAlike")]
    [InlineData(PolicyMutant.HintsIgnored, "mq", "ReloadDecidesAlike")]
    [InlineData(PolicyMutant.SearchFromTheStart, "mq", "FindsTheOneThatMayGo")]
    [InlineData(PolicyMutant.GateNotAsked, "mq", "AnyOrder")]
    [InlineData(PolicyMutant.HintsIgnored, "s3fifod", "ReloadDecidesAlike")]
    [InlineData(PolicyMutant.HintsIgnored, "lfu", "ReloadDecidesAlike")]
    [InlineData(PolicyMutant.HintsIgnored, "multiqueue", "ReloadDecidesAlike")]
    [InlineData(PolicyMutant.GateNotAsked, "wtinylfu", "FindsNoneWhereNoneMayGo")]
    [InlineData(PolicyMutant.GateNotAsked, "random", "FindsNoneWhereNoneMayGo")]
    [InlineData(PolicyMutant.GateNotAsked, "lirs", "AnyOrder")]
    [InlineData(PolicyMutant.StreamsAdmitted, "lru", "StreamsStayOutside")]
    public void IsCaughtByTheContract(PolicyMutant mutant, string policy, string check)
    {
        Action<int> checks = PolicyChecks.Of(policy)[check];
        AssertCaught(mutant, () =>
        {
            for (int seed = 0; seed < Seeds; seed++) checks(seed);
        });
    }

    [Theory]
    [InlineData(PolicyMutant.HitIgnored, "lru")]
    [InlineData(PolicyMutant.HitIgnored, "sieve")]
    [InlineData(PolicyMutant.HitIgnored, "arc")]
    [InlineData(PolicyMutant.HitIgnored, "lirs")]
    [InlineData(PolicyMutant.GhostsForgotten, "twoqueue")]
    [InlineData(PolicyMutant.GhostsForgotten, "arc")]
    [InlineData(PolicyMutant.GhostsForgotten, "lirs")]
    [InlineData(PolicyMutant.ArcNotAdapting, "arc")]
    [InlineData(PolicyMutant.SieveHandStays, "sieve")]
    [InlineData(PolicyMutant.SieveHandNotMoved, "sieve")]
    public void IsCaughtByThePaper(PolicyMutant mutant, string policy) =>
        AssertCaught(mutant, () => new PolicyQualityTests().DecidesAsThePaperSays(policy));

    [Theory]
    [InlineData(PolicyMutant.HitIgnored)]
    [InlineData(PolicyMutant.S3NoGhosts)]
    public void IsCaughtByTheSimilarity(PolicyMutant mutant) =>
        AssertCaught(mutant, new PolicyQualityTests().S3FifoIsCloseToThePaper);

    [Fact]
    public void QueuesThatDoNotAdaptAreCaught() =>
        AssertCaught(PolicyMutant.S3NotAdapting, new PolicyQualityTests().S3FifoWithQueuesThatAdapt);

    [Theory]
    [InlineData(PolicyMutant.SketchNotHalved)]
    public void IsCaughtByTheSimilarityOfTinyLfu(PolicyMutant mutant) =>
        AssertCaught(mutant, new PolicyQualityTests().WTinyLfuIsCloseToThePaper);

    [Theory]
    [InlineData(PolicyMutant.TinyLfuAdmitsAll)]
    public void IsCaughtByWhatComesOnce(PolicyMutant mutant) =>
        AssertCaught(mutant, new PolicyQualityTests().WTinyLfuKeepsWhatIsAskedForMoreOften);

    [Theory]
    [InlineData(PolicyMutant.S3NoPromotion)]
    public void IsCaughtByAScan(PolicyMutant mutant) =>
        AssertCaught(mutant, new PolicyQualityTests().AScanLeavesTheHotBlocksIn);

    [Fact]
    public void UsesThatDoNotAgeAreCaught() =>
        AssertCaught(PolicyMutant.MqNoAgeing, new MqPolicyTests().AdaptationDoesNotDependOnHistory);

    [Fact]
    public void ForgottenHintsAreCaught() =>
        AssertCaught(PolicyMutant.HintsIgnored, PolicyContractTests.TheCleanerKeepsTheHintsOfOthers);

    private static void AssertCaught(PolicyMutant mutant, Action check)
    {
        check();
        Mutant.Active = mutant;
        try
        {
            Assert.ThrowsAny<Exception>(check);
        }
        finally
        {
            Mutant.Active = null;
        }
    }
}

using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Volume;
using Weir.Tests.Simulation;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>
/// The very situations that the simulation meets in one of hundreds of seeds, built by hand: each is gone through
/// twice, and the promise is kept but for the mutant.
/// </summary>
public sealed class RareFaultTests
{
    /// <summary>Who flushes is told only what a flush that succeeded covers.</summary>
    [Theory]
    [InlineData(WriteboostMutant.None)]
    [InlineData(WriteboostMutant.R6FlushErrorIgnored)]
    public void AFlushThatFailedCoversNothing(WriteboostMutant mutant) => Check(mutant, static () =>
    {
        using SmallVolume small = new();
        small.Driver.Write(0, 1);
        (long before, small.Cache.FlushesToFail) = (small.Cache.Flushes, 1);
        int result = small.Driver.Do(RequestKind.Flush);
        return result < 0 || small.Cache.Flushes > before + 1;
    });

    /// <summary>A record that the device refuses is in no log: it is durable elsewhere, or nobody is told.</summary>
    [Theory]
    [InlineData(WriteboostMutant.None)]
    [InlineData(WriteboostMutant.R6WriteErrorIgnored)]
    public void ARecordThatWasRefusedIsNotDurable(WriteboostMutant mutant) => Check(mutant, static () =>
    {
        const int TriesOfARecord = 3;
        using SmallVolume small = new(static options => options.CacheRetryUs = 0);
        small.Driver.Write(0, 1);
        (long before, small.Cache.WritesToFail) = (small.Backing.Flushes, TriesOfARecord);
        int result = small.Driver.Do(RequestKind.Flush);
        return result < 0 || small.Backing.Flushes > before;
    });

    /// <summary>A record by itself is durable by itself; one beside others that are not is flushed with them.</summary>
    [Theory]
    [InlineData(WriteboostMutant.None)]
    [InlineData(WriteboostMutant.R6NotAlone)]
    public void ARecordBesideOthersIsFlushed(WriteboostMutant mutant) => Check(mutant, static () =>
    {
        using SmallVolume small = new();
        small.Cache.WritesDurably = true;
        long before = small.Cache.Flushes;
        small.Driver.Write(0, 1, blocks: SmallVolume.BlocksPerSegment + 9);
        Assert.Equal(0, small.Driver.Do(RequestKind.Flush));
        return small.Cache.Flushes > before;
    });

    /// <summary>What a start has read, and believes, is durable on all devices before anybody is served.</summary>
    [Theory]
    [InlineData(WriteboostMutant.None)]
    [InlineData(WriteboostMutant.R12NoFlush)]
    public void AStartFlushesWhatItBelieves(WriteboostMutant mutant) => Check(mutant, static () =>
    {
        using SmallVolume dead = new();
        using SimRamStore memory = NewMemory();
        dead.Cache.Clear();
        dead.Backing.Clear();
        // The start ends at the first thing that it would write.
        dead.Cache.WritesLeft = 0;
        Assert.Throws<UserErrorException>(() => Open(dead, memory));
        return dead.Cache.Flushes > 0 && dead.Backing.Flushes > 0;
    });

    /// <summary>A life after one that died has an epoch of its own: records of the two cannot be mixed up.</summary>
    [Theory]
    [InlineData(WriteboostMutant.None)]
    [InlineData(WriteboostMutant.R4EpochNotRaised)]
    public void NoTwoLivesShareAnEpoch(WriteboostMutant mutant) => Check(mutant, static () =>
    {
        using SmallVolume dead = new();
        using SimRamStore memory = NewMemory();
        dead.Driver.Write(0, 1);
        Assert.Equal(0, dead.Driver.Do(RequestKind.Flush));
        using WriteboostVolume next = Open(dead, memory);
        return next.Superblock.Epoch > dead.Volume.Superblock.Epoch;
    });

    // The life after it. Its memory is gone.
    private static WriteboostVolume Open(SmallVolume dead, SimRamStore memory) => WriteboostVolume.Open(
        dead.Io, dead.Cache, [new BackingSpec(null, "disk", dead.Backing)], memory, dead.Options);

    private static SimRamStore NewMemory() => new(new SimWorld(1, trace: false), outlivesProcess: true);

    private static void Check(WriteboostMutant mutant, Func<bool> isKept)
    {
        Mutant.Active = mutant == WriteboostMutant.None ? null : mutant;
        try
        {
            Assert.Equal(mutant == WriteboostMutant.None, isKept());
        }
        finally
        {
            Mutant.Active = null;
        }
    }
}

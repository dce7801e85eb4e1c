namespace Weir.Core.DmCache;

/// <summary>
/// How the engine <c>dmcache</c> is broken in a run of the test build, see <see cref="Base.Mutant"/>.
/// </summary>
public enum DmCacheMutant
{
    /// <summary>Nothing is broken.</summary>
    None,
    /// <summary>B1: a write does not wait until its block is marked durably.</summary>
    B1MarkNotAwaited,
    /// <summary>B1: marks are taken away without a look at who has begun to write meanwhile.</summary>
    B1MarkTakenBlindly,
    /// <summary>B1: a write to both devices needs no mark.</summary>
    B1ThroughUnmarked,
    /// <summary>B1: after a suspend marks are dirty blocks alone, though writes are under way again.</summary>
    B1ExactAfterResume,
    /// <summary>B1: zeroes go to both devices after any commit, whether it has their mark or not.</summary>
    B1ZeroedUnmarked,
    /// <summary>B1: after a commit that failed marks are gone that the durable metadata have.</summary>
    B1MarksLostByFailure,
    /// <summary>B2: an entry is committed without a flush of the bytes that it names.</summary>
    B2EntryBeforeFlush,
    /// <summary>B2: home is not flushed before an entry says that it has the same bytes.</summary>
    B2HomeUnflushed,
    /// <summary>B3: a place is free before the commit that removes its entry is durable.</summary>
    B3FreeAtOnce,
    /// <summary>B3: a place is free though the commit has named it: it left while the commit looked.</summary>
    B3LeavingLookedAtLast,
    /// <summary>B4: a block that was written while it was written back counts as clean.</summary>
    B4WrittenIgnored,
    /// <summary>B4: a block counts as clean before its home is flushed.</summary>
    B4HomeUnflushed,
    /// <summary>B4: a dirty block may be demoted.</summary>
    B4DirtyDemoted,
    /// <summary>B4: a dirty block is taken out when the user says so.</summary>
    B4DirtyInvalidated,
    /// <summary>B5: a write to a new place is acknowledged before its entry is durable.</summary>
    B5EntryNotAwaited,
    /// <summary>B6: blocks that the last life's superblock has freed are written before it is durable.</summary>
    B6OldRootOverwritten,
    /// <summary>B6: the superblock that is found counts as durable when a flush has succeeded.</summary>
    B6FoundRootTrusted,
    /// <summary>B6: nobody hears of it when the first flush of a start or a tool fails.</summary>
    B6FirstLossNotNoted,
    /// <summary>B6: a flush is acknowledged without one of the cache device.</summary>
    B6CacheUnflushed,
    /// <summary>B6: a flush is acknowledged without one of the backing device.</summary>
    B6HomeUnflushed,
    /// <summary>B6: FUA is acknowledged like any write.</summary>
    B6FuaIgnored,
    /// <summary>B6: after a failed flush the next one counts.</summary>
    B6FailureForgotten,
    /// <summary>B6: the superblock is written before the flush of the blocks that it names.</summary>
    B6RootBeforeBlocks,
    /// <summary>B6: on one device, neither blocks nor data are flushed before the superblock.</summary>
    B6FirstFlushLeftOut,
    /// <summary>B6: on one device, a commit flushes the data once more. Breaks no promise.</summary>
    B6BlocksFlushedTwice,
    /// <summary>B6: on one device, the superblock counts although another flush has failed beside its own.</summary>
    B6RootLossUnseen,
    /// <summary>B6: a commit counts before the flush of its superblock.</summary>
    B6RootUnflushed,
    /// <summary>B6: the stop flushes nothing.</summary>
    B6StopUnflushed,
    /// <summary>B6: a suspend flushes nothing.</summary>
    B6SuspendUnflushed,
    /// <summary>B6: the next start does not hear of a flush of the cache device that has failed.</summary>
    B6LossNotNoted,
    /// <summary>B6: a stop ends before the loss of its last flush is noted.</summary>
    B6LossNotAwaited,
    /// <summary>B6: a start trusts the cache device although a flush of it has failed.</summary>
    B6LossForgotten,
    /// <summary>B7: writes of one block that go to both devices pass each other.</summary>
    B7ThroughUnordered,
    /// <summary>B8: a block is filled while it may be written.</summary>
    B8FillUnlocked,
    /// <summary>B9: home is written before the removal of the cached block is durable.</summary>
    B9RemovalNotAwaited,
    /// <summary>B9: home is written while the durable metadata still name the place that the block has left.</summary>
    B9LeavingWritten,
    /// <summary>B10: a discarded block shows what its new place held before.</summary>
    B10PlaceNotZeroed,
    /// <summary>B10: the cached part of a discarded range is left as it is.</summary>
    B10CachedKept,
    /// <summary>B10: a block counts as discarded although another write has gone home since.</summary>
    B10DiscardRemembered,
    /// <summary>B10: after a suspend the discards stay in the durable metadata.</summary>
    B10DiscardsKeptByResume,
    /// <summary>B11: a clean block that cannot be read is an error.</summary>
    B11CleanNotReadAtHome,
    /// <summary>B11: a cached block stays though the cache device has refused what home has.</summary>
    B11StaleKept,
    /// <summary>B12: a mode is named while blocks are still dirty.</summary>
    B12NamedTooEarly,
    /// <summary>B13: recovery forgets the marks of a cache that was not stopped.</summary>
    B13MarksForgotten,
    /// <summary>B13: what another writer left clean is believed.</summary>
    B13StrangersBelieved,
    /// <summary>B14: the mark counts although somebody else has written the superblock since.</summary>
    B14ForeignMarkTrusted,
    /// <summary>B14: nobody looks whether the devices are those of the metadata.</summary>
    B14AnyDeviceTaken,
    /// <summary>No rule: new places are used that no commit has named.</summary>
    GrownUncommitted,
    /// <summary>No rule: a volume is suspended while requests are under way.</summary>
    SuspendDrainsNothing,
    /// <summary>No rule: after a suspend or a stop blocks are marked that are clean.</summary>
    LastCommitInexact,
    /// <summary>No rule: repair takes for clean what cannot be read of the dirty bits.</summary>
    RepairForgetsDirty,
}

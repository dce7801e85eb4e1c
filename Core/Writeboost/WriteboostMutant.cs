namespace Weir.Core.Writeboost;

/// <summary>
/// How the engine <c>writeboost</c> is broken in a run of the test build: a mutant for each rule of
/// docs/durability.md, see <see cref="Base.Mutant"/>.
/// </summary>
public enum WriteboostMutant
{
    /// <summary>Nothing is broken.</summary>
    None,
    /// <summary>R1: acknowledged without the slot being published.</summary>
    R1NotPublished,
    /// <summary>R1: memory that somebody takes away is not missed.</summary>
    R1LossUnnoticed,
    /// <summary>R1: a slot is published before its entry and its bytes are there.</summary>
    R1PublishedFirst,
    /// <summary>R2: whoever comes last to the index wins, not the highest position.</summary>
    R2LastComerWins,
    /// <summary>R3: slots are taken before the request can fill them, and left behind.</summary>
    R3SlotAbandoned,
    /// <summary>R4: a header counts whatever epoch's secret it carries.</summary>
    R4IgnoreNonce,
    /// <summary>R4: a header counts although it does not continue the chain.</summary>
    R4ChainIgnored,
    /// <summary>R4: a start does not raise the epoch.</summary>
    R4EpochNotRaised,
    /// <summary>R4: the header of a torn record stays in the log.</summary>
    R4FutureKept,
    /// <summary>R5: a damaged header below D ends the log silently.</summary>
    R5RotIsTorn,
    /// <summary>R5: a rotten block is served although reads are verified.</summary>
    R5RottenServed,
    /// <summary>R5: where no checksum tells torn data, the header does not wait for it.</summary>
    R5HeaderFirst,
    /// <summary>R5: a torn record above D is replayed.</summary>
    R5TornReplayed,
    /// <summary>R6: a flush is acknowledged when the device flush is submitted.</summary>
    R6AckBeforeFlush,
    /// <summary>R6: the device flush is submitted before the log writes have completed.</summary>
    R6FlushBeforeWritten,
    /// <summary>R6: FUA is acknowledged like any write.</summary>
    R6FuaIgnored,
    /// <summary>R6: a flush does not flush the backing device after writes that went round the log.</summary>
    R6AroundNotFlushed,
    /// <summary>R6: after a failed flush of what went round the log it is only asked again.</summary>
    R6AroundFailureForgotten,
    /// <summary>R6: writes that went round the log count as kept although write-back's flush failed.</summary>
    R6OthersFailureIgnored,
    /// <summary>R6: a failed log write counts as done.</summary>
    R6WriteErrorIgnored,
    /// <summary>R6: a failed flush counts as done.</summary>
    R6FlushErrorIgnored,
    /// <summary>R6: after a failed flush it is only asked again.</summary>
    R6NotRewritten,
    /// <summary>R6: a record that is durable by itself speaks for those before it.</summary>
    R6NotAlone,
    /// <summary>R6: a start trusts records that no successful flush is known to cover.</summary>
    R6UnprovenTrusted,
    /// <summary>R6: whoever sealed a record does not look again whether another became complete meanwhile.</summary>
    R6SealNotRechecked,
    /// <summary>R7: write-back takes records beyond D.</summary>
    R7Undurable,
    /// <summary>R7: a version is skipped for a successor that is not durable.</summary>
    R7SkipForUndurable,
    /// <summary>R8: the mark is written although the backing device was not flushed.</summary>
    R8NoBackingFlush,
    /// <summary>R8: the mark is written although another's flush failed after the batch was written.</summary>
    R8OthersFailureIgnored,
    /// <summary>R8: a batch is zeroed and written again while a copy of the superblock may say it is over.</summary>
    R8MarkInDoubt,
    /// <summary>R8: segments are reused before the mark is durable.</summary>
    R8ReuseBeforeMark,
    /// <summary>R8: segments are reused while readers still read them.</summary>
    R8ReadersIgnored,
    /// <summary>R8: what a batch that was called off had not written counts as written.</summary>
    R8CalledOffPasses,
    /// <summary>R8: a mark that has come further is believed, whatever the device has.</summary>
    R8MarkNotAsked,
    /// <summary>R8: whoever copies from RAM segments does not say so.</summary>
    R8GateUnannounced,
    /// <summary>R8: whoever copies from RAM segments may be seen to say so after it has looked.</summary>
    R8GateUnfenced,
    /// <summary>R8: a RAM segment is given back without a look at those who copy.</summary>
    R8GateNotAwaited,
    /// <summary>R8: a drain keeps what it has written before the backing device is flushed.</summary>
    R8KeptUnflushed,
    /// <summary>R8: what a drain has kept is believed although a range below it will be zeroed again.</summary>
    R8KeptOverRange,
    /// <summary>R8: what a drain has skipped for a newer version counts as kept before that is durable.</summary>
    R8KeptUndurable,
    /// <summary>R9: discard and zeroes do nothing.</summary>
    R9DiscardIgnored,
    /// <summary>R9: ranges are logged but not kept for reads.</summary>
    R9RangeNotKept,
    /// <summary>R9: block status does not hear of a block that is logged after it began to keep regions.</summary>
    R9RegionUnmarked,
    /// <summary>R9: an older version beats a newer range.</summary>
    R9OlderBeatsRange,
    /// <summary>R10: changes of ranges are sampled after the block was looked up, not before.</summary>
    R10RangesSampledLate,
    /// <summary>R10: clean blocks count after a crash too.</summary>
    R10CleanAfterCrash,
    /// <summary>R10: what was written back counts after a crash too.</summary>
    R10WarmAfterCrash,
    /// <summary>R10: what was cached counts although the backing device was written meanwhile.</summary>
    R10ChangeUnnoticed,
    /// <summary>R10: a stop that could not note how the devices are calls what is cached warm.</summary>
    R10UnnotedIsWarm,
    /// <summary>R10: a segment that has left the index, and waits for its readers only, is warm.</summary>
    R10ForgottenIsWarm,
    /// <summary>R10: warm segments come back without their ranges.</summary>
    R10WarmRangeForgotten,
    /// <summary>R10: clean blocks that were written round count after the next orderly stop.</summary>
    R10OutdatedKept,
    /// <summary>R10: the log names no block whose bucket has not its tag, be it latched or have overflow.</summary>
    R10LatchAndOverflowIgnored,
    /// <summary>R10: a write goes round although the log holds newer data of its blocks.</summary>
    R10AroundDirty,
    /// <summary>R10: a write that was refused on its way round the log counts as done.</summary>
    R10RefusedForgotten,
    /// <summary>R8: after a pause, what the backing device has refused counts as written.</summary>
    R8RefusedForgotten,
    /// <summary>R11: the volume goes on without its cache although no note of that is durable.</summary>
    R11NoNote,
    /// <summary>R11: the volume goes on without its cache although that alone holds dirty data.</summary>
    R11DirtyForgotten,
    /// <summary>R11: a rotten block is forgotten with its segment.</summary>
    R11PoisonNotMoved,
    /// <summary>R11: that a lost block was given up is not logged.</summary>
    R11GivenUpNotLogged,
    /// <summary>R12: recovery does not flush before it serves.</summary>
    R12NoFlush,
    /// <summary>R12: a start overwrites the whole superblock copy while the other one is torn.</summary>
    R12WholeCopyFirst,
    /// <summary>R12: a cache grows although the segments in use lie in two pieces.</summary>
    R12GrownWrapped,
    /// <summary>R12: while a cache grows, segments are opened whose place the superblock does not settle yet.</summary>
    R12GrownUnplanned,
    /// <summary>R11: what the cache device does not give counts as rotten at once, though the error may pass.</summary>
    R11UnreadLost,
    /// <summary>R11: where the log cannot say what is lost, write-back passes it all the same.</summary>
    R11LostPassed,
    /// <summary>R2: what takes the place of a block that is given up is newer than a write that came before.</summary>
    R2GivenUpOverNewer,
    /// <summary>R13: what an absent device has in a segment is dropped with it.</summary>
    R13NotMoved,
    /// <summary>R13: write-back changes a sample of a device before the cache has dropped it durably.</summary>
    R13SampleKept,
    /// <summary>R13: a layout without a device table does not ask what a device should hold.</summary>
    R13LogNotAsked,
    /// <summary>R13: a device's number is free before the mark has passed all that names it.</summary>
    R13IdReusedEarly,
    /// <summary>R13: a device whose detach has failed is served before the table that names it is durable.</summary>
    R13StaysUnwritten,
    /// <summary>R13: a device takes over what the log holds of another that had its number.</summary>
    R13NumberInherits,
    /// <summary>R14: the sectors fetched for a 4 KiB-sector device are lost.</summary>
    R14FillLost,
    /// <summary>R15: the stop does not flush the log.</summary>
    R15StopWithoutFlush,
    /// <summary>R16: a read-only start writes its epoch.</summary>
    R16ReadOnlyWrites,
}

namespace Weir.Core.Base;

/// <summary>
/// How the rooms that engines share are broken in a run of the test build, see <see cref="Mutant"/>.
/// </summary>
public enum SharedMutant
{
    /// <summary>Nothing is broken.</summary>
    None,
    /// <summary>R6: a queue that sleeps is not woken when something is durable.</summary>
    R6WakeLost,
    /// <summary>R6: a copy that a failed flush should have covered is not written again.</summary>
    R6SuperblockNotRewritten,
    /// <summary>R12: after an update has failed at its second copy, the next one begins with the whole one.</summary>
    R12DoubtfulCopyLast,
    /// <summary>R10: a read is staged although the block may have changed since it began.</summary>
    R10StaleStaged,
    /// <summary>R10: a staged block is entered over a version that was written.</summary>
    R10CleanBeatsDirty,
    /// <summary>R14: a change with an edge inside a block of the device shares its blocks with others.</summary>
    R14EdgeShared,
    /// <summary>R14: the last block of a change is not locked with the others.</summary>
    R14LastUnlocked,
    /// <summary>R14: a change of whole blocks does not wait for one that merges.</summary>
    R14WholeUnlocked,
    /// <summary>R14: of a block with an edge the rest is not kept.</summary>
    R14EdgeNotMerged,
    /// <summary>R14: nobody looks for locks that come later.</summary>
    R14GrantForgotten,
    /// <summary>B6: a flush is asked of a device that has nothing new. Breaks no promise.</summary>
    B6FlushesNothingNew,
    /// <summary>B6: a metadata block that the commit under way has freed is written before it has ended.</summary>
    B6FreedReused,
    /// <summary>No rule of durability: an array that shrinks to whole blocks keeps one block too many.</summary>
    D19TailKept,
    /// <summary>No rule of durability: figures are cleared by zeroing what their queue counts.</summary>
    CountersZeroed,
}

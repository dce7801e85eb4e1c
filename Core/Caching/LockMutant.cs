namespace Weir.Core.Caching;

/// <summary>What breaks <see cref="BlockLocks"/>, one switch each, for the test build only.</summary>
public enum LockMutant
{
    /// <summary>Nothing is broken.</summary>
    None,
    /// <summary>Words are written without a look at what they are by now.</summary>
    NotAtomic,
    /// <summary>Readers are let in beside whoever has the blocks alone.</summary>
    ReadsBeside,
    /// <summary>Whoever wants the blocks alone does not wait for those who share them.</summary>
    AloneBeside,
    /// <summary>A promotion does not wait for the others that share the blocks.</summary>
    PromotesEarly,
    /// <summary>Newcomers do not look whether somebody is in line.</summary>
    Overtakes,
    /// <summary>Who parks does not look whether the conflict is still there.</summary>
    ParksBlindly,
    /// <summary>A release does not look whether somebody is in line.</summary>
    ReleaseUnseen,
    /// <summary>The cells of a range are taken as it lies, not in ascending order.</summary>
    CellsUnordered,
    /// <summary>The thread of a granted lock is not woken.</summary>
    GrantUnwoken,
}

namespace Weir.Core.DmCache;

/// <summary>
/// How the engine <c>dmcache</c> is broken in a run of the test build, see <see cref="Base.Mutant"/>.
/// </summary>
public enum DmCacheMutant
{
    /// <summary>Nothing is broken.</summary>
    None,
    /// <summary>B14: the mark counts although somebody else has written the superblock since.</summary>
    B14ForeignMarkTrusted,
    /// <summary>No rule: repair takes for clean what cannot be read of the dirty bits.</summary>
    RepairForgetsDirty,
}

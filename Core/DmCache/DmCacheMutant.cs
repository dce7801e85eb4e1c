namespace Weir.Core.DmCache;

/// <summary>
/// How the engine <c>dmcache</c> is broken in a run of the test build, see <see cref="Base.Mutant"/>.
/// </summary>
public enum DmCacheMutant
{
    /// <summary>Nothing is broken.</summary>
    None,
}

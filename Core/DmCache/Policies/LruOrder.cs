namespace Weir.Core.DmCache.Policies;

/// <summary>What was not used for longest gives way.</summary>
internal readonly struct LruOrder : IListOrder
{
    /// <inheritdoc/>
    public static PolicyInfo Info { get; } = new("lru", sizeof(uint), (1, 0, 0),
        "least recently used gives way");

    /// <inheritdoc/>
    public static bool HitMakesNew => true;

    /// <inheritdoc/>
    public static bool NewestGoes => false;
}

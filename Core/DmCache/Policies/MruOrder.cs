namespace Weir.Core.DmCache.Policies;

/// <summary>What was used last gives way: a loop over more than fits keeps a part of it.</summary>
internal readonly struct MruOrder : IListOrder
{
    /// <inheritdoc/>
    public static PolicyInfo Info { get; } = new("mru", sizeof(uint), (1, 0, 0),
        "most recently used gives way: for loops over more than fits");

    /// <inheritdoc/>
    public static bool HitMakesNew => true;

    /// <inheritdoc/>
    public static bool NewestGoes => true;
}

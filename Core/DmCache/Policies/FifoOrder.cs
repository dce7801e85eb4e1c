namespace Weir.Core.DmCache.Policies;

/// <summary>What came first gives way first.</summary>
internal readonly struct FifoOrder : IListOrder
{
    /// <inheritdoc/>
    public static PolicyInfo Info { get; } = new("fifo", sizeof(uint), (1, 0, 0),
        "first in, first out: hits change nothing");

    /// <inheritdoc/>
    public static bool HitMakesNew => false;

    /// <inheritdoc/>
    public static bool NewestGoes => false;
}

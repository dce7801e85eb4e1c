namespace Weir.Core.DmCache.Format;

/// <summary>
/// What the mapping array says of a place, a u64.
/// <code>
///  63 ..... 16  15 ... 2  1      0
///  [ home     | 0       | dirty | valid ]    dirty: version 1 only; nothing there: all zero
/// </code>
/// </summary>
internal readonly record struct Mapping(ulong Word)
{
    /// <summary>Flags of a mapping.</summary>
    public const ulong Valid = 1, Dirty = 2;

    /// <summary>Mappings in a block of their array.</summary>
    public const int PerBlock = 509;

    private const ulong Flags = (1 << HomeShift) - 1;
    private const int HomeShift = 16;

    /// <summary>Homes are below this.</summary>
    public const long MaxHomes = 1L << (64 - HomeShift);

    /// <summary>Something is there.</summary>
    public bool IsValid => (Word & Valid) != 0;

    /// <summary>By the mapping itself.</summary>
    public bool IsDirty => (Word & Dirty) != 0;

    /// <summary>The block of the backing device.</summary>
    public long Home => (long)(Word >> HomeShift);

    /// <summary>Flags that nobody knows.</summary>
    public ulong UnknownFlags => Word & Flags & ~(Valid | Dirty);

    /// <summary>The word for a block that is cached.</summary>
    public static ulong WordOf(long home, bool isDirty = false) =>
        ((ulong)home << HomeShift) | Valid | (isDirty ? Dirty : 0);
}

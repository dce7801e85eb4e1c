namespace Weir.Core.Devices;

/// <summary>What kind of thing is on a device.</summary>
public enum ContentKind
{
    /// <summary>Nothing.</summary>
    Blank,
    /// <summary>Something, but nothing that has a name.</summary>
    Unknown,
    /// <summary>Somebody else's: a file system, a partition table, another cache.</summary>
    Foreign,
    /// <summary>A cache of ours.</summary>
    Cache,
    /// <summary>
    /// A cache of ours whose beginning is lost: never taken for blank, never offered for formatting.
    /// </summary>
    DamagedCache,
}

/// <summary>What is on a device; the default is blank.</summary>
/// <param name="Kind">Of what kind it is.</param>
/// <param name="Description">The same for people, as "an ext4 file system"; null when it is blank.</param>
/// <param name="Mark">What a damaged cache was known by.</param>
public readonly record struct Content(ContentKind Kind, string? Description, ContentMark? Mark = null)
{
    /// <summary>Nothing is there.</summary>
    public bool IsBlank => Kind == ContentKind.Blank;

    /// <summary>Something, at this byte of the device if that is known.</summary>
    public static Content Unknown(long? atByte = null) =>
        new(ContentKind.Unknown, "unknown content" + (atByte == null ? "" : $" (at byte {atByte})"));

    /// <summary>The cache that <paramref name="mark"/> tells.</summary>
    public static Content Of(ContentMark mark) => new(ContentKind.DamagedCache, mark.Description, mark);
}

/// <summary>
/// What an engine writes again and again on its devices: it tells whose they are, although their beginning is lost.
/// </summary>
/// <param name="Bytes">What it looks like, at a multiple of <see cref="AlignmentBytes"/>.</param>
/// <param name="HeadOffsetBytes">Where the first one is, within <see cref="ContentProbe.HeadBytes"/>.</param>
/// <param name="ApartBytes">One begins in any part of a used device that is as long.</param>
/// <param name="Description">What such a device holds, for people.</param>
public sealed record ContentMark(byte[] Bytes, int HeadOffsetBytes, long ApartBytes, string Description)
{
    /// <summary>Marks begin at multiples of this.</summary>
    public const int AlignmentBytes = 4096;
}

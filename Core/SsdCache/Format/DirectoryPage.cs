using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Weir.Core.Base;

namespace Weir.Core.SsdCache.Format;

/// <summary>
/// Head of a page of the directory, little endian.
/// <code>
///    0  magic "WEIRSDP1"           u64
///    8  cache UUID                 16 bytes
///   24  number of the page         u32
///   28  flags                      u32   bit 0: open
///   32  sequence                   u64   of the two slots of a page, the newer has the larger
///   40  epoch                      u64   of the life that wrote it
///   48  sets that it describes     u32
///   52  zero                       u64
///   60  checksum                   u32   CRC32C of the page without these four bytes
/// </code>
/// </summary>
[StructLayout(LayoutKind.Explicit, Pack = 1, Size = DirectoryPage.HeaderBytes)]
internal struct DirectoryPageHeader
{
    /// <summary>See the picture.</summary>
    [FieldOffset(0)] public ulong Magic;
    /// <summary>See the picture.</summary>
    [FieldOffset(8)] public Guid CacheId;
    /// <summary>See the picture.</summary>
    [FieldOffset(24)] public int Number;
    /// <summary><see cref="DirectoryPage.OpenFlag"/>.</summary>
    [FieldOffset(28)] public uint Flags;
    /// <summary>See the picture.</summary>
    [FieldOffset(32)] public long Sequence;
    /// <summary>See the picture.</summary>
    [FieldOffset(40)] public long Epoch;
    /// <summary>See the picture.</summary>
    [FieldOffset(48)] public int Sets;
    [FieldOffset(52)] private ulong _zero52;
    /// <summary>See the picture.</summary>
    [FieldOffset(60)] public uint Checksum;
}

/// <summary>
/// A page of the directory: what the places of some neighbouring sets hold. It is written to its two slots in turn, so
/// that the older one is whole while the newer is written.
/// <code>
///  0         64
///  | header  | set: entry of way 0 | way 1 | ... | way 15 | next set ... | zero |
///
///  entry     0          4        6        8               8 + 8v            8 + 8v + 8d
///            | tag + 1  | flags  | hint   | valid sectors | dirty units     |
///            | u32      | u16, 0 | u16    | v * u64       | d * u64         |
/// </code>
/// tag: the block of the backing device; 0 in its place: nothing is there, and all of the entry is zero. hint: how
/// often it was asked for. Bit i of the words: sector i of the block is here; its 4 KiB i are not written back.
/// A <b>closed</b> page says exactly what is so. Of an <b>open</b> one only dirty units count: clean sectors may have
/// changed since.
/// </summary>
/// <remarks>
/// A codec without state over the bytes of one page, <see cref="SsdGeometry.PageBytes"/> long and 8-byte aligned.
/// Accessors take the number of an entry within its page: set within the page * 16 + way.
/// </remarks>
internal static unsafe class DirectoryPage
{
    /// <summary>Bytes of the header.</summary>
    public const int HeaderBytes = 64;
    /// <summary>Bytes of an entry before its bitmaps.</summary>
    public const int EntryHeadBytes = 8;
    /// <summary>"WEIRSDP1", little endian.</summary>
    public const ulong MagicValue = 0x3150445352494557;
    /// <summary>Flag: of this page, only what is dirty counts.</summary>
    public const uint OpenFlag = 1;
    private const int ChecksumOffset = 60;

    /// <summary>The header of a page.</summary>
    public static ref DirectoryPageHeader Header(byte* page) => ref *(DirectoryPageHeader*)page;

    /// <summary>Only its dirty units count.</summary>
    public static bool IsOpen(byte* page) => (Header(page).Flags & OpenFlag) != 0;

    /// <summary>Entries of page <paramref name="number"/>.</summary>
    public static int EntriesOf(SsdGeometry geometry, int number) => geometry.SetsOf(number) * SsdGeometry.Ways;

    /// <summary>
    /// Makes all of the page zero but its header, which is that of an empty closed page that still needs a sequence, an
    /// epoch and a seal.
    /// </summary>
    public static void Clear(byte* page, SsdGeometry geometry, in Guid cacheId, int number)
    {
        new Span<byte>(page, geometry.PageBytes).Clear();
        ref DirectoryPageHeader header = ref Header(page);
        (header.Magic, header.CacheId) = (MagicValue, cacheId);
        (header.Number, header.Sets) = (number, geometry.SetsOf(number));
    }

    /// <summary>Fills the checksum.</summary>
    public static void Seal(byte* page, int pageBytes)
    {
        Invariant.Check(Header(page).Magic == MagicValue);
        Invariant.Check(Header(page).Sequence is > 0 and < SsdSuperblock.MaxNumber);
        Header(page).Checksum = SumOf(page, pageBytes);
    }

    /// <summary>Somebody has written it like this, as page <paramref name="number"/> of this cache.</summary>
    public static bool IsIntact(byte* page, SsdGeometry geometry, in Guid cacheId, int number)
    {
        ref DirectoryPageHeader header = ref Header(page);
        return header.Magic == MagicValue && header.CacheId == cacheId && header.Number == number
            && header.Sets == geometry.SetsOf(number) && header.Sequence is > 0 and < SsdSuperblock.MaxNumber
            && header.Checksum == SumOf(page, geometry.PageBytes);
    }

    /// <summary>There are zeroes: the slot was never written.</summary>
    public static bool IsBlank(byte* page, int bytes) =>
        new ReadOnlySpan<byte>(page, bytes).IndexOfAnyExcept((byte)0) < 0;

    /// <summary>Something is there.</summary>
    public static bool IsUsed(byte* page, SsdGeometry geometry, int entry) => *(uint*)At(page, geometry, entry) != 0;

    /// <summary>All of it is zero, as where nothing is.</summary>
    public static bool IsEmpty(byte* page, SsdGeometry geometry, int entry) =>
        IsBlank(At(page, geometry, entry), geometry.EntryBytes);

    /// <summary>The block that is there; only where something is.</summary>
    public static uint TagOf(byte* page, SsdGeometry geometry, int entry) => *(uint*)At(page, geometry, entry) - 1;

    /// <summary>Nothing known yet.</summary>
    public static ushort FlagsOf(byte* page, SsdGeometry geometry, int entry) =>
        *(ushort*)(At(page, geometry, entry) + 4);

    /// <summary>How often it was asked for.</summary>
    public static ref ushort HintOf(byte* page, SsdGeometry geometry, int entry) =>
        ref *(ushort*)(At(page, geometry, entry) + 6);

    /// <summary>The words of its valid sectors.</summary>
    public static ulong* ValidOf(byte* page, SsdGeometry geometry, int entry) =>
        (ulong*)(At(page, geometry, entry) + EntryHeadBytes);

    /// <summary>The words of its dirty units.</summary>
    public static ulong* DirtyOf(byte* page, SsdGeometry geometry, int entry) =>
        ValidOf(page, geometry, entry) + geometry.WordsPerBitmap;

    /// <summary>One of its units is dirty.</summary>
    public static bool IsDirty(byte* page, SsdGeometry geometry, int entry) =>
        new ReadOnlySpan<ulong>(DirtyOf(page, geometry, entry), geometry.DirtyWords).IndexOfAnyExcept(0UL) >= 0;

    /// <summary>It holds this block; the bitmaps are the caller's to fill.</summary>
    public static void Set(byte* page, SsdGeometry geometry, int entry, uint tag, ushort hint)
    {
        Invariant.Check(tag != uint.MaxValue);
        byte* at = At(page, geometry, entry);
        (*(uint*)at, *(uint*)(at + 4)) = (tag + 1, (uint)hint << 16);
    }

    /// <summary>Nothing is there any more.</summary>
    public static void Clear(byte* page, SsdGeometry geometry, int entry) =>
        new Span<byte>(At(page, geometry, entry), geometry.EntryBytes).Clear();

    private static uint SumOf(byte* page, int pageBytes)
    {
        uint register = Crc32C.Append(~0u, page, ChecksumOffset);
        return ~Crc32C.Append(register, page + HeaderBytes, pageBytes - HeaderBytes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static byte* At(byte* page, SsdGeometry geometry, int entry)
    {
        Invariant.Check((uint)entry < (uint)(geometry.SetsPerPage * SsdGeometry.Ways));
        return page + HeaderBytes + ((long)entry * geometry.EntryBytes);
    }
}

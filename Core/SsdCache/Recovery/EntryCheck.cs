using System;
using Weir.Core.SsdCache.Format;

namespace Weir.Core.SsdCache.Recovery;

/// <summary>
/// Whether an entry of an intact page can be: a checksum says that it was written so, not that the writer was right.
/// </summary>
internal sealed unsafe class EntryCheck
{
    private const int SectorsPerUnit = SsdGeometry.UnitBytes / SsdGeometry.SectorBytes, WordBits = 64;

    private readonly SsdGeometry _geometry;
    private readonly long _backingBytes;
    private readonly int _assoc;

    /// <summary>In the cache that <paramref name="superblock"/> describes.</summary>
    public EntryCheck(SsdGeometry geometry, in SsdSuperblock superblock) =>
        (_geometry, _backingBytes, _assoc) = (geometry, superblock.BackingBytes, superblock.Assoc);

    /// <summary>What is wrong with entry <paramref name="entry"/> of page <paramref name="number"/>; null: nothing.
    /// </summary>
    public string? FaultOf(byte* page, int number, int entry)
    {
        if (!DirectoryPage.IsUsed(page, _geometry, entry))
            return DirectoryPage.IsEmpty(page, _geometry, entry) ? null : "it is free, and not all zero";
        uint tag = DirectoryPage.TagOf(page, _geometry, entry);
        if (DirectoryPage.FlagsOf(page, _geometry, entry) is not 0 and var flags) return $"unknown flags {flags:x}";
        if (tag >= Blocks) return $"block {tag} is past the end of the backing device, of {Blocks} blocks";
        if (!IsFindable(tag, SetOf(number, entry))) return $"block {tag} would not be looked for in this set";
        return BitmapFault(page, entry, tag);
    }

    /// <summary>
    /// The block of a used entry can be nowhere here: past the end, or in a set where nobody would look for it.
    /// </summary>
    public bool IsMisplaced(byte* page, int number, int entry)
    {
        uint tag = DirectoryPage.TagOf(page, _geometry, entry);
        return tag >= Blocks || !IsFindable(tag, SetOf(number, entry));
    }

    /// <summary>The set that an entry of a page is in.</summary>
    public uint SetOf(int number, int entry) => _geometry.FirstSetOf(number) + ((uint)entry / SsdGeometry.Ways);

    /// <summary>Sectors of a block that the backing device has: fewer than usual in the last one.</summary>
    public int SectorsOf(uint tag)
    {
        long left = _backingBytes - ((long)tag * _geometry.BlockBytes) + SsdGeometry.SectorBytes - 1;
        return (int)Math.Clamp(left / SsdGeometry.SectorBytes, 0, _geometry.BlockSectors);
    }

    /// <summary>One of the bits from <paramref name="from"/> on is set.</summary>
    public static bool AnyFrom(ulong* words, int wordCount, int from)
    {
        for (int i = from / WordBits; i < wordCount; i++)
        {
            ulong word = i == from / WordBits ? words[i] >> (from % WordBits) : words[i];
            if (word != 0) return true;
        }
        return false;
    }

    /// <summary>The first dirty unit of which no sector is valid; -1: none is so.</summary>
    public int DirtyWithoutValid(byte* page, int entry)
    {
        byte* sectors = (byte*)DirectoryPage.ValidOf(page, _geometry, entry);
        ulong* dirty = DirectoryPage.DirtyOf(page, _geometry, entry);
        for (int unit = 0; unit < _geometry.BlockUnits; unit++)
            if ((dirty[unit / WordBits] >> (unit % WordBits) & 1) != 0 && sectors[unit] == 0) return unit;
        return -1;
    }

    private long Blocks => (_backingBytes + _geometry.BlockBytes - 1) / _geometry.BlockBytes;

    private bool IsFindable(uint tag, uint set)
    {
        for (int attempt = 0; attempt <= _assoc; attempt++)
            if (_geometry.SetOf(tag, attempt) == set) return true;
        return false;
    }

    private string? BitmapFault(byte* page, int entry, uint tag)
    {
        int sectors = SectorsOf(tag), units = (sectors + SectorsPerUnit - 1) / SectorsPerUnit;
        if (AnyFrom(DirectoryPage.ValidOf(page, _geometry, entry), _geometry.WordsPerBitmap, sectors))
            return $"block {tag} has {sectors} sectors, and more are valid";
        if (AnyFrom(DirectoryPage.DirtyOf(page, _geometry, entry), _geometry.DirtyWords, units))
            return $"block {tag} has {units} times 4 KiB, and more are dirty";
        int unit = DirtyWithoutValid(page, entry);
        return unit < 0 ? null : $"block {tag}: its 4 KiB {unit} are dirty, and no sector of them is here";
    }
}

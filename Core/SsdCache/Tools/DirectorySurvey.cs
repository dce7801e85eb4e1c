using System;
using System.Numerics;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.SsdCache.Format;
using Weir.Core.SsdCache.Recovery;

namespace Weir.Core.SsdCache.Tools;

/// <summary>An entry of an intact page that cannot be.</summary>
/// <param name="Page">Its page.</param>
/// <param name="Slot">Its place.</param>
/// <param name="Text">What is wrong.</param>
/// <param name="IsDirty">It names data that may be nowhere else.</param>
internal readonly record struct EntryFault(int Page, uint Slot, string Text, bool IsDirty)
{
    /// <summary>The place that holds the same block; <see cref="TagTable.None"/>: it is something else.</summary>
    public uint Twin { get; init; } = TagTable.None;

    /// <summary>What is at <see cref="Twin"/> is dirty.</summary>
    public bool IsTwinDirty { get; init; }

    /// <summary>Its block cannot be here: the entry cannot stay.</summary>
    public bool IsMisplaced { get; init; }
}

/// <summary>
/// One walk over the whole directory: shows every page and what is wrong with its entries, and counts. Memory: four
/// bytes for each place. Writes nothing.
/// </summary>
internal sealed unsafe class DirectorySurvey(BlockingIo io, Device cache, in SsdSuperblock superblock)
{
    private const int SectorsPerUnit = SsdGeometry.UnitBytes / SsdGeometry.SectorBytes;

    private readonly SsdSuperblock _superblock = superblock;

    /// <summary>Is told of an entry that cannot be.</summary>
    public delegate void Fault(in EntryFault fault);

    /// <summary>Where everything lies.</summary>
    public SsdGeometry Geometry { get; } = SsdGeometry.Of(superblock);

    /// <summary>What entries have to be like.</summary>
    public EntryCheck Entries { get; } = new(SsdGeometry.Of(superblock), superblock);

    /// <summary>Told of "pages", how many were read, of how many.</summary>
    public Action<string, long, long>? Progress { get; init; }

    /// <summary>Entries that count.</summary>
    public long CachedBlocks { get; private set; }

    /// <summary>Those of them with dirty units.</summary>
    public long DirtyBlocks { get; private set; }

    /// <summary>Bytes of valid sectors in dirty units.</summary>
    public long DirtyBytes { get; private set; }

    /// <summary>Entries of open pages, and of those in doubt, that are clean: they do not count.</summary>
    public long ForgottenBlocks { get; private set; }

    /// <summary>Pages that are open.</summary>
    public long OpenPages { get; private set; }

    /// <summary>Pages of which neither slot is intact.</summary>
    public long LostPages { get; private set; }

    /// <summary>Walks; each page is shown before the faults of its entries.</summary>
    public void Run(DirectoryReader.Visit visit, Fault fault)
    {
        using DirectoryReader reader = new(io, cache, _superblock) { Progress = Progress };
        using TagTable tags = new(Geometry, _superblock.Assoc);
        reader.Run((in FoundPage page) =>
        {
            visit(page);
            if (page.IsLost) LostPages++;
            else Look(page, tags, fault);
        });
    }

    private void Look(in FoundPage page, TagTable tags, Fault fault)
    {
        if (DirectoryPage.IsOpen(page.Image)) OpenPages++;
        for (int entry = 0; entry < DirectoryPage.EntriesOf(Geometry, page.Number); entry++)
        {
            bool isDirty = DirectoryPage.IsDirty(page.Image, Geometry, entry);
            bool isUsed = DirectoryPage.IsUsed(page.Image, Geometry, entry);
            uint slot = (Geometry.FirstSetOf(page.Number) * SsdGeometry.Ways) + (uint)entry;
            if (Entries.FaultOf(page.Image, page.Number, entry) is { } text)
                fault(new EntryFault(page.Number, slot, text, isUsed && isDirty)
                {
                    IsMisplaced = isUsed && Entries.IsMisplaced(page.Image, page.Number, entry),
                });
            if (!isUsed) continue;
            if (page.OnlyDirty && !isDirty) ForgottenBlocks++;
            else Count(page, entry, slot, isDirty, tags, fault);
        }
    }

    private void Count(in FoundPage page, int entry, uint slot, bool isDirty, TagTable tags, Fault fault)
    {
        CachedBlocks++;
        if (isDirty) DirtyBlocks++;
        DirtyBytes += DirtyBytesOf(page.Image, entry);
        uint tag = DirectoryPage.TagOf(page.Image, Geometry, entry);
        if (tag >= SsdGeometry.MaxBlocks) return;
        if (!HasTwin(page, slot, tag, isDirty, tags, fault)) tags.Add(slot, tag, isDirty);
    }

    // A clean twin counts no more, there may be another one behind it; beside a dirty one, this counts no more.
    private static bool HasTwin(
        in FoundPage page, uint slot, uint tag, bool isDirty, TagTable tags, Fault fault)
    {
        while (tags.Find(tag) is not TagTable.None and var twin)
        {
            bool isTwinDirty = tags.IsDirty(twin);
            fault(new EntryFault(page.Number, slot, $"block {tag} is {Describe(twin)} too", isDirty)
            {
                Twin = twin, IsTwinDirty = isTwinDirty,
            });
            if (isTwinDirty) return true;
            tags.Remove(twin);
        }
        return false;
    }

    /// <summary>A place for people.</summary>
    public static string Describe(uint slot) => $"in set {slot / SsdGeometry.Ways} way {slot % SsdGeometry.Ways}";

    private long DirtyBytesOf(byte* page, int entry)
    {
        byte* sectors = (byte*)DirectoryPage.ValidOf(page, Geometry, entry);
        ulong* dirty = DirectoryPage.DirtyOf(page, Geometry, entry);
        long count = 0;
        for (int unit = 0; unit < Geometry.BlockUnits; unit++)
            if ((dirty[unit / 64] >> (unit % 64) & 1) != 0) count += BitOperations.PopCount(sectors[unit]);
        Invariant.Check(count <= Geometry.BlockUnits * SectorsPerUnit);
        return count * SsdGeometry.SectorBytes;
    }
}

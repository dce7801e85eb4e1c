using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.SsdCache.Commit;
using Weir.Core.SsdCache.Format;
using Weir.Core.SsdCache.Sets;
using Weir.Core.Volumes;

namespace Weir.Core.SsdCache.Recovery;

/// <summary>
/// Writes pages of the directory before anybody is served, as open ones that have what is dirty. Cut anywhere, it
/// begins anew.
/// </summary>
internal sealed unsafe class PageRewriter(BlockingIo io, Device cache, DirectoryMemory memory, PageStates pages)
{
    private const int UnitSectors = SsdGeometry.UnitBytes / SsdGeometry.SectorBytes;

    private SsdGeometry Geometry => memory.Geometry;

    private SetTable Table => memory.Table;

    /// <summary>
    /// Makes the device name what memory has and nothing else: what a dead process had not committed yet. What it had
    /// taken back would come back with a power cut, although it has been read otherwise.
    /// </summary>
    /// <exception cref="UserErrorException">The device fails.</exception>
    public void WriteNamed(in SsdSuperblock head)
    {
        using AlignedMemory image = new(Geometry.PageBytes);
        for (int page = 0; page < Geometry.Pages; page++)
            if ((pages[page] & PageState.Changed) != 0) Rewrite(page, image.Pointer, head);
        Flush();
    }

    /// <summary>
    /// Forgets what is clean, for the last life <paramref name="head"/>: the next one has not begun. Dirty bytes are
    /// written anew, then all pages, as open ones.
    /// </summary>
    /// <exception cref="UserErrorException">The device fails.</exception>
    public void ForgetClean(in SsdSuperblock head)
    {
        using RangeRewriter rewriter = new(io, cache, SsdGeometry.UnitBytes);
        for (uint slot = 0; slot < Geometry.Slots; slot++)
        {
            if (!Table.IsUsed(slot)) continue;
            Table.DropClean(slot, 0, Geometry.BlockSectors);
            RewriteDirty(rewriter, slot);
        }
        Flush();
        using AlignedMemory image = new(Geometry.PageBytes);
        for (int page = 0; page < Geometry.Pages; page++) Rewrite(page, image.Pointer, head);
        Flush();
    }

    // In whole units, which any device writes: what else is in them nobody reads.
    private void RewriteDirty(RangeRewriter rewriter, uint slot)
    {
        long place = Geometry.PlaceOffset(slot);
        for (int unit = 0; unit < Geometry.BlockUnits; unit++)
            if (Table.AnyDirty(slot, unit * UnitSectors, UnitSectors))
                rewriter.Rewrite(place + ((long)unit * SsdGeometry.UnitBytes), SsdGeometry.UnitBytes);
    }

    private void Rewrite(int page, byte* image, in SsdSuperblock head)
    {
        // One that is open stays so; one that is closed need not be, but nothing in it was changed.
        PageImage.Fill(image, page, Table, pages, Geometry, head.CacheId, head.Epoch, isOpen: true);
        long offset = Geometry.PageOffset(page, pages.NextSlotOf(page));
        io.Start(io.QueueOf(cache), IoKind.Write, offset, image, Geometry.PageBytes);
        io.WaitOrFail("writing the directory", cache);
        pages.NoteCopy(page);
        pages.SetOpen(page, isOpen: true);
        Table.Committed(page, image);
        _ = pages.BeginSnapshot(page);
    }

    private void Flush()
    {
        io.StartFlush(io.QueueOf(cache));
        io.WaitOrFail("flushing the directory", cache);
    }
}

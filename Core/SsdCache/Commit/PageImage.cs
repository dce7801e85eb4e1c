using System;
using Weir.Core.SsdCache.Format;
using Weir.Core.SsdCache.Sets;

namespace Weir.Core.SsdCache.Commit;

/// <summary>What is written of a page of the directory: the next copy of it.</summary>
internal static unsafe class PageImage
{
    /// <summary>
    /// Fills <paramref name="image"/> with the page as the table has it now, and seals it; its dirty ways count as
    /// named from here on (<see cref="SetTable.Snapshot"/>).
    /// </summary>
    /// <param name="image">Bytes of a page.</param>
    /// <param name="page">Which page.</param>
    /// <param name="table">What is cached.</param>
    /// <param name="pages">What the device has.</param>
    /// <param name="geometry">Sizes.</param>
    /// <param name="cacheId">Whose it is.</param>
    /// <param name="epoch">The life that writes it.</param>
    /// <param name="isOpen">Of this copy only what is dirty counts.</param>
    public static void Fill(
        byte* image, int page, SetTable table, PageStates pages, SsdGeometry geometry, in Guid cacheId, long epoch,
        bool isOpen)
    {
        DirectoryPage.Clear(image, geometry, cacheId, page);
        ref DirectoryPageHeader header = ref DirectoryPage.Header(image);
        (header.Sequence, header.Epoch) = (pages.SequenceOf(page) + 1, epoch);
        header.Flags = isOpen ? DirectoryPage.OpenFlag : 0;
        table.Snapshot(page, image);
        DirectoryPage.Seal(image, geometry.PageBytes);
    }
}

using System;
using System.Text;
using Weir.Core.Io;
using Weir.Core.SsdCache.Format;
using Weir.Core.SsdCache.Recovery;

namespace Weir.Core.SsdCache.Tools;

/// <summary>
/// <c>weir dump ssdcache</c>: both superblock copies, the pages, and the entries of the slots that count, as they lie
/// on the device. Writes nothing.
/// </summary>
internal sealed unsafe class SsdDumper(IoContext io, Device cache, IItemWriter items)
{
    private readonly BlockingIo _io = new(io);

    /// <summary>Told of "pages", how many were read, of how many.</summary>
    public Action<string, long, long>? Progress { get; init; }

    /// <summary>Shows everything; the number of pages that are lost.</summary>
    /// <exception cref="Base.UserErrorException">No superblock is whole.</exception>
    public long Run()
    {
        SuperblockPair pair = SuperblockPair.Read(_io, cache);
        SsdSuperblock superblock = pair.Chosen();
        SsdSuperblockItems.Report(pair, items);
        using DirectoryReader reader = new(_io, cache, superblock)
        {
            Progress = Progress, WantsMore = () => items.WantsMore,
        };
        long lost = 0;
        reader.Run((in FoundPage page) =>
        {
            if (page.IsLost) lost++;
            Dump(page, reader.Geometry);
        });
        return lost;
    }

    private void Dump(in FoundPage page, SsdGeometry geometry)
    {
        items.Begin("page");
        items.Number("page", page.Number);
        items.Text("slot_0", NameOf(page.Slot0));
        items.Text("slot_1", NameOf(page.Slot1));
        if (!page.IsLost)
        {
            items.Number("slot", page.Chosen);
            items.Number("sequence", page.Sequence);
            items.Number("epoch", DirectoryPage.Header(page.Image).Epoch);
            items.Text("state", DirectoryPage.IsOpen(page.Image) ? "open" : "closed");
        }
        items.End();
        for (int entry = 0; !page.IsLost && entry < DirectoryPage.EntriesOf(geometry, page.Number); entry++)
            if (DirectoryPage.IsUsed(page.Image, geometry, entry) && items.WantsMore) Dump(page, geometry, entry);
    }

    private void Dump(in FoundPage page, SsdGeometry geometry, int entry)
    {
        items.Begin("entry");
        items.Number("set", geometry.FirstSetOf(page.Number) + (entry / SsdGeometry.Ways));
        items.Number("way", entry % SsdGeometry.Ways);
        items.Number("block", DirectoryPage.TagOf(page.Image, geometry, entry));
        items.Number("hint", DirectoryPage.HintOf(page.Image, geometry, entry));
        items.Text("valid_sectors",
            RunsOf(DirectoryPage.ValidOf(page.Image, geometry, entry), geometry.WordsPerBitmap));
        items.Text("dirty_units", RunsOf(DirectoryPage.DirtyOf(page.Image, geometry, entry), geometry.DirtyWords));
        items.End();
    }

    private static string NameOf(FoundSlot slot) => slot.State.ToString().ToLowerInvariant();

    // "0-7,9": as people count.
    private static string RunsOf(ulong* words, int wordCount)
    {
        StringBuilder text = new();
        int first = -1;
        for (int bit = 0; bit <= wordCount * 64; bit++)
        {
            bool isSet = bit < wordCount * 64 && (words[bit / 64] >> (bit % 64) & 1) != 0;
            if (isSet && first < 0) first = bit;
            if (isSet || first < 0) continue;
            if (text.Length > 0) text.Append(',');
            text.Append(first);
            if (bit - 1 > first) text.Append('-').Append(bit - 1);
            first = -1;
        }
        return text.ToString();
    }
}

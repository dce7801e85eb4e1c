using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.SsdCache.Format;
using Weir.Core.SsdCache.Recovery;

namespace Weir.Core.SsdCache.Tools;

/// <summary>Writes pages anew, and flushes them.</summary>
/// <param name="io">Waits for everything.</param>
/// <param name="cache">Where they are.</param>
/// <param name="superblock">That of the cache.</param>
/// <param name="pages">The pages that are written.</param>
/// <param name="dropped">Places of which nothing is kept; a page may be written because of its twin alone.</param>
internal sealed unsafe class PageRepair(
    BlockingIo io, Device cache, in SsdSuperblock superblock, HashSet<int> pages, HashSet<uint> dropped) : IDisposable
{
    private readonly SsdSuperblock _superblock = superblock;
    private readonly SsdGeometry _geometry = SsdGeometry.Of(superblock);
    private readonly AlignedMemory _page = new(SsdGeometry.Of(superblock).PageBytes);
    private readonly EntryCheck _check = new(SsdGeometry.Of(superblock), superblock);

    /// <summary>A page that was closed is open now.</summary>
    public bool HasOpened { get; private set; }

    /// <summary>Writes all of them.</summary>
    /// <exception cref="UserErrorException">The device fails.</exception>
    public void Run()
    {
        foreach (uint slot in dropped) pages.Add(_geometry.PageOf(slot / SsdGeometry.Ways));
        using DirectoryReader reader = new(io, cache, _superblock);
        reader.Run((in FoundPage page) =>
        {
            if (!pages.Contains(page.Number)) return;
            if (page.IsLost) WriteEmpty(page.Number);
            else WriteAnew(page);
        });
        io.StartFlush(io.QueueOf(cache));
        io.WaitOrFail("flush", cache);
    }

    /// <inheritdoc/>
    public void Dispose() => _page.Dispose();

    // Nothing there counts: as a new cache has it.
    private void WriteEmpty(int number)
    {
        new Span<byte>(_page.Pointer, _geometry.PageBytes).Clear();
        Write(number, 1);
        DirectoryPage.Clear(_page.Pointer, _geometry, _superblock.CacheId, number);
        Seal(1);
        Write(number, 0);
    }

    private void WriteAnew(in FoundPage page)
    {
        Buffer.MemoryCopy(page.Image, _page.Pointer, _geometry.PageBytes, _geometry.PageBytes);
        bool isChanged = page.IsInDoubt;
        for (int entry = 0; entry < DirectoryPage.EntriesOf(_geometry, page.Number); entry++)
            isChanged |= Mend(page.Number, entry);
        if (isChanged)
        {
            HasOpened |= !DirectoryPage.IsOpen(_page.Pointer);
            DirectoryPage.Header(_page.Pointer).Flags |= DirectoryPage.OpenFlag;
        }
        Seal(page.Sequence + 1);
        Write(page.Number, page.NextSlot);
    }

    private void Seal(long sequence)
    {
        ref DirectoryPageHeader header = ref DirectoryPage.Header(_page.Pointer);
        (header.Sequence, header.Epoch) = (sequence, _superblock.Epoch);
        DirectoryPage.Seal(_page.Pointer, _geometry.PageBytes);
    }

    private void Write(int number, int slot)
    {
        io.Start(io.QueueOf(cache), IoKind.Write, _geometry.PageOffset(number, slot), _page.Pointer,
            _geometry.PageBytes);
        io.WaitOrFail("writing the directory", cache);
    }

    private bool Mend(int number, int entry)
    {
        uint slot = (_geometry.FirstSetOf(number) * SsdGeometry.Ways) + (uint)entry;
        bool isDropped = dropped.Contains(slot) && DirectoryPage.IsUsed(_page.Pointer, _geometry, entry);
        if (!isDropped && _check.FaultOf(_page.Pointer, number, entry) == null) return false;
        if (isDropped || !DirectoryPage.IsUsed(_page.Pointer, _geometry, entry))
            DirectoryPage.Clear(_page.Pointer, _geometry, entry);
        else MendBits(number, entry);
        Invariant.Check(_check.FaultOf(_page.Pointer, number, entry) == null);
        return true;
    }

    // What no sector stands behind names nothing: that is no loss.
    private void MendBits(int number, int entry)
    {
        byte* page = _page.Pointer;
        uint tag = DirectoryPage.TagOf(page, _geometry, entry);
        Invariant.Check(!_check.IsMisplaced(page, number, entry));
        DirectoryPage.Set(page, _geometry, entry, tag, DirectoryPage.HintOf(page, _geometry, entry));
        ulong* valid = DirectoryPage.ValidOf(page, _geometry, entry);
        ulong* dirty = DirectoryPage.DirtyOf(page, _geometry, entry);
        ClearFrom(valid, _geometry.WordsPerBitmap, _check.SectorsOf(tag));
        ClearFrom(dirty, _geometry.DirtyWords, _geometry.BlockUnits);
        for (int unit = 0; unit < _geometry.BlockUnits; unit++)
            if (((byte*)valid)[unit] == 0) dirty[unit / 64] &= ~(1UL << (unit % 64));
    }

    private static void ClearFrom(ulong* words, int wordCount, int from)
    {
        for (int bit = from; bit < wordCount * 64; bit++) words[bit / 64] &= ~(1UL << (bit % 64));
    }
}

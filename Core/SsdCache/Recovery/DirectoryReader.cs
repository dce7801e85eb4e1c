using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.SsdCache.Format;

namespace Weir.Core.SsdCache.Recovery;

/// <summary>
/// Reads the whole directory, both slots of all pages, many at a time, and shows page by page what counts. Memory: a
/// few MiB, however large the directory is. Writes nothing.
/// </summary>
internal sealed unsafe class DirectoryReader : IDisposable
{
    // As much as a device wants to be busy with: some large reads from each slot's stretch.
    private const int ChunkBytes = 1 << 20, ChunksAtOnce = 4;

    private readonly BlockingIo _io;
    private readonly Device _cache;
    private readonly SsdSuperblock _superblock;
    private readonly int _pagesAtOnce;
    private readonly AlignedMemory _memory;
    private readonly bool[] _isUnread;

    /// <summary>Is shown a page; <see cref="FoundPage.Image"/> lives as long as the call.</summary>
    public delegate void Visit(in FoundPage page);

    /// <summary>Of the cache that <paramref name="superblock"/> describes, on the thread of the context.</summary>
    public DirectoryReader(BlockingIo io, Device cache, in SsdSuperblock superblock)
    {
        (_io, _cache, _superblock) = (io, cache, superblock);
        Geometry = SsdGeometry.Of(superblock);
        _pagesAtOnce = Math.Min(Geometry.Pages, ChunksAtOnce * ChunkBytes / Geometry.PageBytes);
        _memory = new AlignedMemory(2L * _pagesAtOnce * Geometry.PageBytes);
        _isUnread = new bool[2 * _pagesAtOnce];
    }

    /// <summary>Where everything lies.</summary>
    public SsdGeometry Geometry { get; }

    /// <summary>Told of "pages", how many were read, of how many.</summary>
    public Action<string, long, long>? Progress { get; init; }

    /// <summary>False: nobody wants more pages.</summary>
    public Func<bool>? WantsMore { get; init; }

    /// <summary>Shows all pages in order.</summary>
    public void Run(Visit visit)
    {
        for (int first = 0; first < Geometry.Pages && WantsMore?.Invoke() != false; first += _pagesAtOnce)
        {
            int count = Math.Min(_pagesAtOnce, Geometry.Pages - first);
            Fetch(first, count);
            for (int page = 0; page < count; page++) visit(Judge(first + page, page));
            Progress?.Invoke("pages", first + count, Geometry.Pages);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _memory.Dispose();

    private byte* At(int slot, int index) =>
        _memory.Pointer + (((long)slot * _pagesAtOnce) + index) * Geometry.PageBytes;

    private void Fetch(int first, int count)
    {
        Array.Clear(_isUnread);
        int chunk = ChunkBytes / Geometry.PageBytes;
        for (int done = 0; done < count; done += chunk)
            for (int slot = 0; slot < 2; slot++) Start(first, done, slot, Math.Min(chunk, count - done));
        if (_io.Wait() < 0) FetchApart(first, count);
    }

    // Something could not be read: what exactly?
    private void FetchApart(int first, int count)
    {
        for (int page = 0; page < count; page++)
            for (int slot = 0; slot < 2; slot++)
            {
                Start(first, page, slot, 1);
                _isUnread[(slot * _pagesAtOnce) + page] = _io.Wait() < 0;
            }
    }

    private void Start(int first, int index, int slot, int count) => _io.Start(
        _io.QueueOf(_cache), IoKind.Read, Geometry.PageOffset(first + index, slot), At(slot, index),
        (long)count * Geometry.PageBytes);

    private FoundPage Judge(int number, int index) => new(
        number, Judge(number, index, 0), Judge(number, index, 1), At(0, index), At(1, index), _superblock.IsClean);

    private FoundSlot Judge(int number, int index, int slot)
    {
        byte* page = At(slot, index);
        if (_isUnread[(slot * _pagesAtOnce) + index]) return new FoundSlot(SlotState.Unreadable, 0);
        ref DirectoryPageHeader header = ref DirectoryPage.Header(page);
        bool isIntact = DirectoryPage.IsIntact(page, Geometry, _superblock.CacheId, number)
            && header.Epoch >= 0 && header.Epoch <= _superblock.Epoch;
        if (isIntact) return new FoundSlot(SlotState.Intact, header.Sequence);
        if (DirectoryPage.IsBlank(page, Geometry.PageBytes)) return new FoundSlot(SlotState.Blank, 0);
        bool looksOwn = header.Magic == DirectoryPage.MagicValue && header.CacheId == _superblock.CacheId
            && header.Number == number;
        return new FoundSlot(SlotState.Damaged, looksOwn ? Math.Max(0, header.Sequence) : 0);
    }
}

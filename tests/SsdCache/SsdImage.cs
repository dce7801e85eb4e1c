using System;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.SsdCache.Format;
using Xunit;

namespace Weir.Tests.SsdCache;

/// <summary>A small cache device in memory, and what is written on it by hand.</summary>
internal sealed unsafe class SsdImage : IDisposable
{
    /// <summary>Blocks of the backing device; the last one has three sectors.</summary>
    public const int BackingBlocks = 300;

    private readonly RamDevice _device;

    /// <summary>An empty cache with room for so many sets, served once in this mode.</summary>
    public SsdImage(int sets = 25, int blockBytes = 4096, SsdMode mode = SsdMode.Writeback, bool isClean = true)
    {
        long bytes = 8192;
        do bytes += 4096;
        while (bytes < 2 * blockBytes * 16 || SsdGeometry.For(bytes, blockBytes).Sets < sets);
        _device = new RamDevice(bytes);
        Geometry = SsdGeometry.For(bytes, blockBytes);
        Superblock = SsdSuperblock.New(Geometry, new Guid(7, 1, 2, new byte[8]), "cache");
        Superblock.Epoch = 3;
        Superblock.Assoc = 4;
        Superblock.Mode = mode;
        Superblock.BackingBytes = ((BackingBlocks - 1L) * blockBytes) + (3 * 512);
        Superblock.Flags = isClean ? SsdSuperblock.CleanFlag : 0;
        WriteSuperblocks();
        for (int page = 0; page < Geometry.Pages; page++) Write(page, 0, sequence: 1, static _ => { });
    }

    /// <summary>Its bytes.</summary>
    public Device Device => new KeptDevice(_device);

    /// <summary>It loses power after so many operations.</summary>
    public Device TornAfter(int operations) => new TearingDevice(_device, operations);

    public SsdGeometry Geometry { get; }

    /// <summary>What <see cref="WriteSuperblocks"/> writes.</summary>
    public SsdSuperblock Superblock;

    /// <summary>Bytes of superblocks and directory.</summary>
    public int MetadataBytes => (int)Geometry.PageOffset(0, 2);

    public byte* At(long offset) => _device.Start + offset;

    public byte* Page(int page, int slot) => At(Geometry.PageOffset(page, slot));

    public Span<byte> Metadata => new(_device.Start, MetadataBytes);

    public void WriteSuperblocks()
    {
        for (int copy = 0; copy < 2; copy++)
        {
            SsdSuperblock* to = (SsdSuperblock*)At(copy * 4096);
            *to = Superblock;
            to->Generation = 9 + copy;
            SsdSuperblock.Seal(to);
        }
    }

    /// <summary>Writes a page with what <paramref name="fill"/> puts into it.</summary>
    public void Write(int page, int slot, long sequence, Action<IntPtr> fill, bool isOpen = false)
    {
        byte* to = Page(page, slot);
        DirectoryPage.Clear(to, Geometry, Superblock.CacheId, page);
        ref DirectoryPageHeader header = ref DirectoryPage.Header(to);
        (header.Sequence, header.Epoch) = (sequence, Superblock.Epoch);
        header.Flags = isOpen ? DirectoryPage.OpenFlag : 0;
        fill((IntPtr)to);
        DirectoryPage.Seal(to, Geometry.PageBytes);
    }

    /// <summary>An entry with these first words; where the block's home set is, if the page has it.</summary>
    public void Set(IntPtr page, int entry, uint tag, ulong valid = 0xff, ulong dirty = 0, ushort hint = 0)
    {
        byte* to = (byte*)page;
        DirectoryPage.Set(to, Geometry, entry, tag, hint);
        DirectoryPage.ValidOf(to, Geometry, entry)[0] = valid;
        DirectoryPage.DirtyOf(to, Geometry, entry)[0] = dirty;
    }

    /// <summary>
    /// A cache in use: page 0 twice written and closed, page 1 open, page 2 as it was formatted. Block b in its home
    /// set, way b / sets; every third one dirty.
    /// </summary>
    public static SsdImage InUse(SsdMode mode = SsdMode.Writeback, bool isClean = true)
    {
        SsdImage image = new(mode: mode, isClean: isClean);
        Assert.Equal(3, image.Geometry.Pages);
        image.Write(0, 1, 2, page => image.FillPage(page, 0, 40));
        image.Write(1, 1, 2, page => image.FillPage(page, 1, 20));
        image.Write(1, 0, 3, page => image.FillPage(page, 1, 40), isOpen: true);
        return image;
    }

    /// <summary>Fills a page with those of the first <paramref name="blocks"/> blocks that belong there.</summary>
    public void FillPage(IntPtr page, int number, int blocks)
    {
        for (uint block = 0; block < blocks; block++)
        {
            uint set = Geometry.SetOf(block, 0);
            if (Geometry.PageOf(set) != number) continue;
            int entry = (int)(((set - Geometry.FirstSetOf(number)) * 16) + (block / Geometry.Sets));
            Set(page, entry, block, dirty: block % 3 == 0 ? 1u : 0, hint: (ushort)block);
        }
    }

    public void Dispose() => _device.Dispose();
}

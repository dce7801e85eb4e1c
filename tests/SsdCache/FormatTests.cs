using System;
using System.Runtime.InteropServices;
using Weir.Core.Base;
using Weir.Core.SsdCache.Format;
using Xunit;

namespace Weir.Tests.SsdCache;

/// <summary>The superblock and the directory, byte for byte: what is on people's disks may not move.</summary>
public sealed unsafe class FormatTests
{
    private static readonly Guid s_id = new(Convert.FromHexString("0123456789abcdef0123456789abcdef"));

    [Fact]
    public void SizesAndOffsetsAreThoseOfThePictures()
    {
        Assert.Equal((4096, 64), (sizeof(SsdSuperblock), sizeof(DirectoryPageHeader)));
        AssertOffsets<SsdSuperblock>(
            (nameof(SsdSuperblock.Magic), 0), (nameof(SsdSuperblock.Version), 8), (nameof(SsdSuperblock.Flags), 12),
            (nameof(SsdSuperblock.CacheId), 16), (nameof(SsdSuperblock.Generation), 32),
            (nameof(SsdSuperblock.Epoch), 40), (nameof(SsdSuperblock.BlockBytes), 48),
            (nameof(SsdSuperblock.Assoc), 52), (nameof(SsdSuperblock.Sets), 56),
            (nameof(SsdSuperblock.DataOffset), 64), (nameof(SsdSuperblock.Mode), 72),
            (nameof(SsdSuperblock.BackingBytes), 80), (nameof(SsdSuperblock.CacheName), 88),
            (nameof(SsdSuperblock.BackingName), 96), (nameof(SsdSuperblock.Checksum), 4092));
        AssertOffsets<DirectoryPageHeader>(
            (nameof(DirectoryPageHeader.Magic), 0), (nameof(DirectoryPageHeader.CacheId), 8),
            (nameof(DirectoryPageHeader.Number), 24), (nameof(DirectoryPageHeader.Flags), 28),
            (nameof(DirectoryPageHeader.Sequence), 32), (nameof(DirectoryPageHeader.Epoch), 40),
            (nameof(DirectoryPageHeader.Sets), 48), (nameof(DirectoryPageHeader.Checksum), 60));
    }

    [Fact]
    public void ASuperblockIsTheseBytes()
    {
        SsdSuperblock superblock = Sample();
        SsdSuperblock.Seal(&superblock);
        byte* bytes = (byte*)&superblock;
        Assert.Equal(
            "57454952535344310100000003000000" + "0123456789abcdef0123456789abcdef" // magic, version, flags, UUID
            + "09000000000000000400000000000000" // generation, epoch
            + "00000200040000000f00000000000000" // block bytes, assoc, sets
            + "00001000000000000200000000000000" // data offset, mode
            + "00e40b5402000000" + "a1a2a3a4a5a6a7a8" + "b1b2b3b4b5b6b7b8" // backing bytes, both names
            + "36612d37" + new string('0', 72) + "2f72756e2f77656972", // boot, memory's folder
            Convert.ToHexStringLower(new ReadOnlySpan<byte>(bytes, 153)));
        Assert.True(new ReadOnlySpan<byte>(bytes + 153, 4092 - 153).IndexOfAnyExcept((byte)0) < 0);
        Assert.Equal(Crc32C.Compute(bytes, 4092), superblock.Checksum);
        Assert.Equal(("6a-7", "/run/weir"), (superblock.BootId, superblock.RamFolder));
        Assert.True(SsdSuperblock.IsIntact(&superblock));
        superblock.RamFolder = new string('x', 121);
        Assert.Equal("", superblock.RamFolder);
    }

    [Fact]
    public void EveryByteOfASuperblockCounts()
    {
        SsdSuperblock superblock = Sample();
        SsdSuperblock.Seal(&superblock);
        EveryByteCounts((byte*)&superblock, SsdSuperblock.Bytes, at => SsdSuperblock.IsIntact((SsdSuperblock*)at));
    }

    [Fact]
    public void ASuperblockThatCannotBeIsNotConsistent()
    {
        Refuse(static (ref SsdSuperblock s) => s.BlockBytes = 3 << 12);
        Refuse(static (ref SsdSuperblock s) => s.BlockBytes = 2 << 20);
        Refuse(static (ref SsdSuperblock s) => s.Sets = 0);
        Refuse(static (ref SsdSuperblock s) => s.Sets = long.MaxValue);
        Refuse(static (ref SsdSuperblock s) => s.DataOffset = 8192);
        Refuse(static (ref SsdSuperblock s) => s.DataOffset += 512);
        Refuse(static (ref SsdSuperblock s) => s.DataOffset = long.MaxValue & -4096);
        Refuse(static (ref SsdSuperblock s) => s.Assoc = 17);
        Refuse(static (ref SsdSuperblock s) => s.Mode = (SsdMode)4);
        Refuse(static (ref SsdSuperblock s) => s.Flags |= 8);
        Refuse(static (ref SsdSuperblock s) => s.Epoch = -1);
        Refuse(static (ref SsdSuperblock s) => s.BackingBytes = long.MaxValue);
        Assert.True(Sample().IsConsistent);
    }

    [Fact]
    public void APageIsTheseBytes()
    {
        SsdGeometry geometry = SsdGeometry.For(16 << 20, 128 << 10);
        using AlignedMemory memory = new(geometry.PageBytes);
        byte* page = SamplePage(memory, geometry);
        Assert.Equal(
            "5745495253445031" + "0123456789abcdef0123456789abcdef" + "01000000" + "01000000" // magic, id, number, open
            + "0600000000000000" + "0400000000000000" // sequence, epoch
            + "02000000" + "0000000000000000", // sets
            Convert.ToHexStringLower(new ReadOnlySpan<byte>(page, 60)));
        Assert.Equal(new string('0', 96), Hex(page, geometry, 16));
        Assert.Equal(
            "05030201" + "0000" + "0700" // tag and 1, flags, hint
            + "ff00000000000000" + "0000000000000000" + "0000000000000000" + "0000000000000080" // valid
            + "0100000000000000", // dirty
            Hex(page, geometry, 17));
        Assert.Equal(0x01020304u, DirectoryPage.TagOf(page, geometry, 17));
        Assert.True(DirectoryPage.IsDirty(page, geometry, 17));
        Assert.False(DirectoryPage.IsUsed(page, geometry, 16));
        DirectoryPage.Clear(page, geometry, 17);
        Assert.True(new ReadOnlySpan<byte>(page + 64, geometry.PageBytes - 64).IndexOfAnyExcept((byte)0) < 0);
    }

    [Theory]
    [InlineData(4 << 10, 1, 1, 24, 4096, 10)]
    [InlineData(64 << 10, 2, 1, 32, 4096, 7)]
    [InlineData(128 << 10, 4, 1, 48, 4096, 5)]
    [InlineData(256 << 10, 8, 1, 80, 4096, 3)]
    [InlineData(512 << 10, 16, 2, 152, 4096, 1)]
    [InlineData(1 << 20, 32, 4, 296, 8192, 1)]
    public void SizesOfPagesAreThese(
        int blockBytes, int validWords, int dirtyWords, int entryBytes, int pageBytes, int setsPerPage)
    {
        SsdGeometry geometry = SsdGeometry.For(1L << 30, blockBytes);
        Assert.Equal((validWords, dirtyWords), (geometry.WordsPerBitmap, geometry.DirtyWords));
        Assert.Equal((entryBytes, pageBytes, setsPerPage),
            (geometry.EntryBytes, geometry.PageBytes, geometry.SetsPerPage));
        Assert.Equal(0, geometry.DataOffset % (1 << 20));
        Assert.True(geometry.EndOffset <= 1L << 30);
    }

    [Fact]
    public void EveryByteOfAPageCounts()
    {
        SsdGeometry geometry = SsdGeometry.For(16 << 20, 128 << 10);
        using AlignedMemory memory = new(geometry.PageBytes);
        byte* page = SamplePage(memory, geometry);
        EveryByteCounts(page, geometry.PageBytes, at => DirectoryPage.IsIntact((byte*)at, geometry, s_id, 1));
        Assert.False(DirectoryPage.IsIntact(page, geometry, s_id, 0));
        Assert.False(DirectoryPage.IsIntact(page, geometry, Guid.Empty, 1));
    }

    private delegate void Change(ref SsdSuperblock superblock);

    private static void Refuse(Change change)
    {
        SsdSuperblock superblock = Sample();
        change(ref superblock);
        Assert.False(superblock.IsConsistent);
    }

    private static void EveryByteCounts(byte* bytes, int count, Func<IntPtr, bool> isIntact)
    {
        for (int i = 0; i < count; i++)
        {
            bytes[i] ^= 0x10;
            Assert.False(isIntact((IntPtr)bytes), $"byte {i}");
            bytes[i] ^= 0x10;
        }
        Assert.True(isIntact((IntPtr)bytes));
    }

    // 7 sets in pages of 5: the second page has 2. Entry 17 is way 1 of its second set.
    private static byte* SamplePage(AlignedMemory memory, SsdGeometry geometry)
    {
        byte* page = memory.Pointer;
        DirectoryPage.Clear(page, geometry, s_id, 1);
        ref DirectoryPageHeader header = ref DirectoryPage.Header(page);
        (header.Sequence, header.Epoch, header.Flags) = (6, 4, DirectoryPage.OpenFlag);
        DirectoryPage.Set(page, geometry, 17, tag: 0x01020304, hint: 7);
        DirectoryPage.ValidOf(page, geometry, 17)[0] = 0xff;
        DirectoryPage.ValidOf(page, geometry, 17)[3] = 1UL << 63;
        DirectoryPage.DirtyOf(page, geometry, 17)[0] = 1;
        DirectoryPage.Seal(page, geometry.PageBytes);
        return page;
    }

    private static string Hex(byte* page, SsdGeometry geometry, int entry) =>
        Convert.ToHexStringLower(new ReadOnlySpan<byte>(page + 64 + (entry * geometry.EntryBytes), 48));

    private static void AssertOffsets<T>(params (string Field, int Offset)[] fields)
    {
        foreach ((string field, int offset) in fields)
            Assert.Equal((field, offset), (field, (int)Marshal.OffsetOf<T>(field)));
    }

    private static SsdSuperblock Sample() => new()
    {
        Magic = SsdSuperblock.MagicValue,
        Version = SsdSuperblock.VersionValue,
        Flags = SsdSuperblock.CleanFlag | SsdSuperblock.LostCacheFlushFlag,
        CacheId = s_id,
        Generation = 9,
        Epoch = 4,
        BlockBytes = 128 << 10,
        Assoc = 4,
        Sets = 15,
        DataOffset = 1 << 20,
        Mode = SsdMode.Writeback,
        BackingBytes = 0x2_540b_e400,
        CacheName = 0xa8a7a6a5a4a3a2a1,
        BackingName = 0xb8b7b6b5b4b3b2b1,
        BootId = "6a-7",
        RamFolder = "/run/weir",
    };
}

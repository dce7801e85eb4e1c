using System;
using System.Runtime.InteropServices;
using Weir.Core.Base;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>Layout <c>native</c>, byte for byte: what is on people's disks may not move.</summary>
public sealed unsafe partial class FormatTests
{
    [Fact]
    public void SizesAndOffsetsAreThoseOfThePictures()
    {
        Assert.Equal(15, sizeof(LogEntry));
        Assert.Equal(4096, sizeof(RecordHeader));
        Assert.Equal(4096, sizeof(Superblock));
        Assert.True(256 + (RecordHeader.MaxEntries * LogEntry.Bytes) <= 4092);
        AssertOffsets<LogEntry>((nameof(LogEntry.Value), 0), (nameof(LogEntry.Device), 9),
            (nameof(LogEntry.Sectors), 10), (nameof(LogEntry.Kind), 11));
        AssertOffsets<RecordHeader>(
            (nameof(RecordHeader.Magic), 0), (nameof(RecordHeader.Version), 8), (nameof(RecordHeader.EntryCount), 12),
            (nameof(RecordHeader.CacheId), 16), (nameof(RecordHeader.Nonce), 32), (nameof(RecordHeader.Epoch), 48),
            (nameof(RecordHeader.Sequence), 56), (nameof(RecordHeader.Position), 64),
            (nameof(RecordHeader.DurablePosition), 72), (nameof(RecordHeader.PreviousChecksum), 80),
            (nameof(RecordHeader.SegmentCount), 84), (nameof(RecordHeader.SegmentBytes), 88),
            (nameof(RecordHeader.PlacementOffset), 92), (nameof(RecordHeader.MarkPosition), 96),
            (nameof(RecordHeader.Secret), 104),
            (nameof(RecordHeader.Checksum), 4092));
        AssertOffsets<Superblock>(
            (nameof(Superblock.Magic), 0), (nameof(Superblock.Version), 8), (nameof(Superblock.Flags), 12),
            (nameof(Superblock.CacheId), 16), (nameof(Superblock.Secret), 32), (nameof(Superblock.Generation), 48),
            (nameof(Superblock.Epoch), 56), (nameof(Superblock.SegmentBytes), 64), (nameof(Superblock.SegmentCount),
                68),
            (nameof(Superblock.MarkPosition), 72), (nameof(Superblock.MarkSequence), 80),
            (nameof(Superblock.SettledPosition), 88), (nameof(Superblock.SettledSequence), 96),
            (nameof(Superblock.MarkChecksum), 104), (nameof(Superblock.SettledChecksum), 108),
            (nameof(Superblock.CleanPosition), 112), (nameof(Superblock.PlacementOffset), 120),
            (nameof(Superblock.KnownEpoch), 128), (nameof(Superblock.KeptPosition), 136),
            (nameof(Superblock.KeptKey), 144),
            (nameof(Superblock.RamBoot), 152), (nameof(Superblock.RamFolder), 160),
            (nameof(Superblock.WarmPosition), 280), (nameof(Superblock.AroundPosition), 288),
            (nameof(Superblock.WarmEpoch), 296),
            (nameof(Superblock.Checksum), 4092));
    }

    [Fact]
    public void ASampleTableIsTheseBytes()
    {
        using SampleTable table = new(Guid.Parse("67452301-ab89-efcd-0123-456789abcdef"));
        table.Epoch = 4;
        table[2].FirstPosition = 0x1122;
        table[2].ChangeStamp = 0x0102030405060708;
        table[2][0] = new BlockSample { Sum = 0xA1A2A3A4, Block = 0x0102030405, Kind = SampleKind.Content };
        table[2][15] = new BlockSample { Block = 1, Kind = SampleKind.Zeroes };
        table.Seal();
        Assert.Equal((69632, 593920), (table.OffsetA, table.OffsetB));
        Assert.Equal((12, 256), (sizeof(BlockSample), sizeof(DeviceSamples)));
        Assert.Equal("57454952465030310100000000000000" + "0123456789abcdef0123456789abcdef"
            + "01000000000000000400000000000000", Convert.ToHexStringLower(new ReadOnlySpan<byte>(table.Pointer, 48)));
        Assert.Equal("22110000000000000807060504030201" + "a4a3a2a105040302010100000000000000000000",
            Convert.ToHexStringLower(new ReadOnlySpan<byte>(table.Pointer + 512, 36)));
        Assert.Equal("000000000100000000020000",
            Convert.ToHexStringLower(new ReadOnlySpan<byte>(table.Pointer + 512 + 16 + (15 * 12), 12)));
        Assert.Equal(Crc32C.Compute(table.Pointer, 65532), *(uint*)(table.Pointer + 65532));
        Assert.True(table.IsWhole(table.Pointer));
        Assert.True(table.IsOfLife(4));
        // Written before the life's epoch was.
        Assert.True(table.IsOfLife(3));
        // A weir that keeps no samples has served since.
        Assert.False(table.IsOfLife(5));
    }

    [Fact]
    public void ASuperblockIsTheseBytes()
    {
        Superblock superblock = Sample();
        Superblock.Seal(&superblock);
        byte* bytes = (byte*)&superblock;
        Assert.Equal(
            "574549525342303102000000010000000123456789abcdef0123456789abcdef" // magic, version, flags, UUID
            + "00112233445566778899aabbccddeeff0900000000000000" // secret, generation
            + "040000000000000000001000ff000000" // epoch, segment bytes and count
            + "001000000000000011000000000000002d10000000000000" // mark and its sequence, settled position
            + "1300000000000000a1a2a3a4b1b2b3b4" // its sequence, both checksums
            + "00000000000000000000000000000000"
            + "04000000000000002910000000000000efcdab8967450100" // known epoch, kept position, kept key
            + "d4d3d2d1010000002f72756e2f776569" + "7200", // memory's boot and folder
            Convert.ToHexStringLower(new ReadOnlySpan<byte>(bytes, 170)));
        Assert.True(new ReadOnlySpan<byte>(bytes + 170, 4092 - 170).IndexOfAnyExcept((byte)0) < 0);
        Assert.Equal("/run/weir", superblock.RamFolderText);
        superblock.RamFolderText = new string('x', 121);
        Assert.Equal("", superblock.RamFolderText);
        superblock.RamFolderText = "/run/weir";
        Assert.True(Superblock.IsValid(&superblock));
    }

    [Fact]
    public void ARecordHeaderIsTheseBytes()
    {
        Superblock superblock = Sample();
        using AlignedMemory memory = new(RecordHeader.Bytes);
        RecordHeader* header = (RecordHeader*)memory.Pointer;
        LogEntry* entries = stackalloc LogEntry[2];
        entries[0] = LogEntry.ForData(0x03_12_3456_789aUL, 0x3c, 0xdeadbeef);
        entries[1] = LogEntry.ForRange(0x01_00_0000_0100UL, 7, EntryKind.Discard);
        RecordInfo info = Record(entryCount: 2, previousChecksum: 0xa4a3a2a1);
        Assert.Equal(0x1023, info.EndPosition);
        Layout.Native.WriteHeader(memory.Pointer, superblock, Place(superblock), info, entries);
        Assert.Equal(
            "574549524c4f47310200000002000000" + "0123456789abcdef0123456789abcdef",
            Convert.ToHexStringLower(new ReadOnlySpan<byte>(memory.Pointer, 32)));
        Assert.Equal(
            "0400000000000000" + "1100000000000000" + "2010000000000000" + "1010000000000000" + "a1a2a3a4"
            + "ff00000000001000" + "05000000" + "0010000000000000" + "00112233445566778899aabbccddeeff",
            Convert.ToHexStringLower(new ReadOnlySpan<byte>(memory.Pointer + 48, 72)));
        Assert.Equal(
            "efbeadde9a78563412033c01000000" + "07000000000100000001ff03000000",
            Convert.ToHexStringLower(new ReadOnlySpan<byte>(memory.Pointer + 256, 30)));
        Assert.True(RecordHeader.IsValid(header, superblock, 0x1020));
        Assert.False(RecordHeader.IsValid(header, superblock, 0x1021));
        Assert.Equal(0x1023, header->EndPosition);
    }

    private static Geometry Place(in Superblock superblock) =>
        new(superblock.SegmentBytes, superblock.SegmentCount, placementOffset: 5);

    private static RecordInfo Record(int entryCount, uint previousChecksum) => new()
    {
        Position = 0x1020,
        Sequence = 17,
        EntryCount = entryCount,
        DurablePosition = 0x1010,
        MarkPosition = 0x1000,
        PreviousChecksum = previousChecksum,
    };

    [Fact]
    public void EveryByteOfAHeaderCounts()
    {
        Superblock superblock = Sample();
        using AlignedMemory memory = new(RecordHeader.Bytes);
        RecordHeader* header = (RecordHeader*)memory.Pointer;
        LogEntry entry = LogEntry.ForData(0x01_00_0000_0005UL, 0xff, 1);
        RecordInfo info = Record(entryCount: 1, previousChecksum: 0);
        Layout.Native.WriteHeader(memory.Pointer, superblock, Place(superblock), info, &entry);
        for (int i = 0; i < RecordHeader.Bytes; i++)
        {
            memory.Pointer[i] ^= 0x10;
            Assert.False(RecordHeader.IsValid(header, superblock, 0x1020), $"byte {i}");
            memory.Pointer[i] ^= 0x10;
        }
        Assert.True(RecordHeader.IsValid(header, superblock, 0x1020));
    }

    [Fact]
    public void EpochsHaveDifferentNonces()
    {
        Superblock superblock = Sample();
        System.Collections.Generic.HashSet<Guid> seen = [];
        for (long epoch = 0; epoch < 10_000; epoch++) Assert.True(seen.Add(superblock.NonceOf(epoch)));
        Superblock other = superblock;
        other.Secret = new Guid(1, 0, 0, new byte[8]);
        Assert.NotEqual(superblock.NonceOf(1), other.NonceOf(1));
    }

    [Fact]
    public void ACopyOfACacheHasAMemoryOfItsOwn()
    {
        Superblock superblock = Sample();
        string name = RamSegments.NameOf(superblock, "file:1:7");
        Assert.Equal(name, RamSegments.NameOf(superblock, "file:1:7"));
        Assert.NotEqual(name, RamSegments.NameOf(superblock, "file:1:8"));
    }

    private static void AssertOffsets<T>(params (string Field, int Offset)[] fields)
    {
        foreach ((string field, int offset) in fields)
            Assert.Equal((field, offset), (field, (int)Marshal.OffsetOf<T>(field)));
    }

    private static Superblock Sample()
    {
        Superblock superblock = new()
        {
            Magic = Superblock.MagicValue,
            Version = Superblock.VersionValue,
            Flags = Superblock.CleanFlag,
            CacheId = new Guid(Convert.FromHexString("0123456789abcdef0123456789abcdef")),
            Secret = new Guid(Convert.FromHexString("00112233445566778899aabbccddeeff")),
            Generation = 9,
            Epoch = 4,
            SegmentBytes = 1 << 20,
            SegmentCount = 255,
            MarkPosition = 0x1000,
            MarkSequence = 17,
            MarkChecksum = 0xa4a3a2a1,
            KnownEpoch = 4,
            KeptPosition = 0x1029,
            KeptKey = 0x0001_4567_89ab_cdef,
            RamBoot = 0x1_d1d2_d3d4,
            RamFolderText = "/run/weir",
        };
        superblock.Settle(0x102d, 19, 0xb4b3b2b1);
        return superblock;
    }
}

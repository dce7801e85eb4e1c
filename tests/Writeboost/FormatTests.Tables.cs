using System;
using Weir.Core.Base;
using Weir.Core.Writeboost.Format;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <content>What the cache keeps about its backing devices, and the seal of a header in the kernel's layouts.</content>
public sealed unsafe partial class FormatTests
{
    private static readonly Guid s_cacheId = Guid.Parse("67452301-ab89-efcd-0123-456789abcdef");

    [Fact]
    public void SizesAndOffsetsOfTheTablesAreThoseOfThePictures()
    {
        Assert.Equal((256, 12, 256, 32),
            (sizeof(DeviceRecord), sizeof(BlockSample), sizeof(DeviceSamples), sizeof(SegmentSeal)));
        AssertOffsets<DeviceRecord>((nameof(DeviceRecord.Id), 0), ("_flags", 1), (nameof(DeviceRecord.SizeBytes), 8),
            ("_firstPosition", 16), ("_name", 64), ("_identity", 128));
        AssertOffsets<BlockSample>((nameof(BlockSample.Sum), 0), ("_blockLow", 4), ("_blockHigh", 8),
            (nameof(BlockSample.Kind), 9));
        AssertOffsets<DeviceSamples>((nameof(DeviceSamples.FirstPosition), 0), (nameof(DeviceSamples.ChangeStamp), 8),
            ("_samples", 16));
        AssertOffsets<SegmentSeal>(("_magic", 0), (nameof(SegmentSeal.HeaderSum), 8), (nameof(SegmentSeal.DataSum), 12),
            (nameof(SegmentSeal.DurableSegment), 16), (nameof(SegmentSeal.Id), 24), ("_sum", 28));
        AssertOffsets<Lc1Entry>(("_sector", 0), ("_device", 8), ("_dirtyBits", 9), ("_lap", 10));
        AssertOffsets<Writeboost1Entry>(("_sector", 0), ("_dirtyBits", 8), ("_lap", 9));
        AssertOffsets<Writeboost2Entry>(("_sector", 0), ("_dirtyBits", 8));
    }

    [Fact]
    public void ADeviceTableIsTheseBytes()
    {
        using DeviceTable table = new(s_cacheId);
        table.Generation = 3;
        ref DeviceRecord record = ref table[2];
        record.Id = 2;
        record.SizeBytes = 0x0102030405060708;
        record.FirstPosition = 0x1122;
        record.Name = "säge";
        record.Identity = "file:1:7";
        table.Seal();
        Assert.Equal((4096, 528384), (table.OffsetA, table.OffsetB));
        Assert.Equal("57454952445430310100000000000000" + "0123456789abcdef0123456789abcdef" + "0400000000000000",
            Hex(table.Pointer, 40));
        Assert.Equal("0201000000000000" + "0807060504030201" + "2211000000000000" + new string('0', 80)
            + "73c3a4676500" + new string('0', 116) + "66696c653a313a3700", Hex(table.Pointer + 512, 137));
        byte[] rest = new ReadOnlySpan<byte>(table.Pointer, 65532).ToArray();
        rest.AsSpan(0, 40).Clear();
        rest.AsSpan(512, 137).Clear();
        Assert.True(rest.AsSpan().IndexOfAnyExcept((byte)0) < 0);
        Assert.Equal(Crc32C.Compute(table.Pointer, 65532), *(uint*)(table.Pointer + 65532));
        Assert.True(table.IsWhole(table.Pointer));
        Assert.True(table.IsConsistent);
        record.Id = 3;
        Assert.False(table.IsConsistent);
        Assert.Throws<InvariantException>(table.Seal);
    }

    [Fact]
    public void NotesAreTheseBytes()
    {
        using SegmentNotes notes = new() { CacheId = s_cacheId };
        notes.SetFirst(3, 0x0102030405);
        byte* covered = stackalloc byte[33];
        new Span<byte>(covered, 33).Clear();
        *(Guid*)covered = s_cacheId;
        covered[16] = 3;
        *(long*)(covered + 17) = 0x0102030405;
        uint check = Crc32C.Compute(covered, 33) >> 8;
        Assert.Equal("0123456789abcdef0123456789abcdef" + new string('0', 32 + (2 * 32)), Hex(notes.Pointer, 64));
        Assert.Equal($"0504030201{check & 0xff:x2}{(check >> 8) & 0xff:x2}{check >> 16:x2}" + new string('0', 16),
            Hex(notes.Pointer + 64, 16));
    }

    [Fact]
    public void ASealIsTheseBytes()
    {
        byte* place = stackalloc byte[SegmentSeal.Bytes];
        SegmentSeal seal = new() { HeaderSum = 0xa4a3a2a1, DataSum = 0xb4b3b2b1, DurableSegment = 0x0102, Id = 0x0304 };
        seal.Put(place);
        Assert.Equal("574549525345414c" + "a1a2a3a4" + "b1b2b3b4" + "0201000000000000" + "04030000", Hex(place, 28));
        Assert.Equal(Crc32C.Compute(place, 28), *(uint*)(place + 28));
        Assert.True(SegmentSeal.TryRead(place, out SegmentSeal read));
        Assert.Equal((seal.HeaderSum, seal.Id), (read.HeaderSum, read.Id));
        place[5] ^= 1;
        Assert.False(SegmentSeal.TryRead(place, out _));
        seal.DurableSegment = seal.Id;
        Assert.Throws<InvariantException>(() => PutSomewhere(seal));
    }

    [Theory]
    [InlineData(0, 4)]
    [InlineData(1, 0)]
    [InlineData(2, 1 << 30)]
    public void APlainMistakeIsNotWrittenToASuperblock(int field, int value)
    {
        Superblock superblock = Sample();
        Assert.True(superblock.IsConsistent);
        if (field == 0) superblock.SettledPosition = value;
        else if (field == 1) superblock.MarkSequence = value;
        else superblock.MarkPosition++;
        Assert.False(superblock.IsConsistent);
        byte[] block = new byte[Superblock.Bytes];
        Assert.Throws<InvariantException>(() =>
        {
            fixed (byte* bytes = block) Layout.Native.WriteSuperblock(superblock, bytes);
        });
    }

    [Fact]
    public void EntriesThatCannotBeAreTold()
    {
        const ulong key = 0x03_12_3456_789aUL;
        Assert.True(default(LogEntry).IsConsistent);
        Assert.True(LogEntry.ForData(key, 1, 0).IsConsistent);
        Assert.False(LogEntry.ForData(key, 0, 0).IsConsistent);
        Assert.False(LogEntry.ForData(0, 1, 0).IsConsistent);
        Assert.False(LogEntry.ForData(0xff_00_0000_0000UL, 1, 0).IsConsistent);
        Assert.True(LogEntry.ForClean(key, 0).IsConsistent);
        Assert.False((LogEntry.ForClean(key, 0) with { Sectors = 1 }).IsConsistent);
        Assert.True(LogEntry.ForRange(key, 1, EntryKind.Zeroes).IsConsistent);
        Assert.False(LogEntry.ForRange(key, 0, EntryKind.Discard).IsConsistent);
        Assert.True(LogEntry.ForGivenUp(key, 1, 1).IsConsistent);
        Assert.False(LogEntry.ForPoison(key, 1, 0).IsConsistent);
        Assert.False((LogEntry.ForData(key, 1, 0) with { Kind = (EntryKind)6 }).IsConsistent);
    }

    private static void PutSomewhere(SegmentSeal seal)
    {
        byte* place = stackalloc byte[SegmentSeal.Bytes];
        seal.Put(place);
    }

    private static string Hex(byte* bytes, int count) =>
        Convert.ToHexStringLower(new ReadOnlySpan<byte>(bytes, count));
}

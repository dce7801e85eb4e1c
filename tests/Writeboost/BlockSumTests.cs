using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Writeboost.Format;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>The checksum of logged blocks, and why it is not the plain one.</summary>
public sealed unsafe class BlockSumTests
{
    [Fact]
    public void ItIsTheOneInTheDocument()
    {
        using AlignedMemory memory = new(2 * Geometry.BlockBytes);
        byte* copy = memory.Pointer + Geometry.BlockBytes;
        for (int seed = 0; seed < 100; seed++)
        {
            Span<byte> block = new(memory.Pointer, Geometry.BlockBytes);
            if (seed > 0) new Random(seed).NextBytes(block);
            uint expected = ByTheBook(block);
            Assert.Equal(expected, BlockSum.Compute(memory.Pointer));
            Assert.Equal(expected, BlockSum.ComputeLanes(memory.Pointer));
            Assert.Equal(expected, BlockSum.CopyAndCompute(copy, memory.Pointer));
            Assert.True(block.SequenceEqual(new ReadOnlySpan<byte>(copy, Geometry.BlockBytes)));
        }
    }

    [Fact]
    public void EveryBitCounts()
    {
        using AlignedMemory memory = new(Geometry.BlockBytes);
        new Random(1).NextBytes(new Span<byte>(memory.Pointer, Geometry.BlockBytes));
        uint sum = BlockSum.Compute(memory.Pointer);
        for (int bit = 0; bit < 8 * Geometry.BlockBytes; bit++)
        {
            memory.Pointer[bit >> 3] ^= (byte)(1 << (bit & 7));
            Assert.NotEqual(sum, BlockSum.Compute(memory.Pointer));
            memory.Pointer[bit >> 3] ^= (byte)(1 << (bit & 7));
        }
    }

    /// <summary>
    /// A client stores a block that ends with its own CRC32C; the record is torn, and the slot still holds an older
    /// block of that kind. Their plain checksums are equal, so the record would count and the older block be served.
    /// </summary>
    [Fact]
    public void BlocksThatEndWithTheirOwnChecksumDiffer()
    {
        using AlignedMemory memory = new(2 * Geometry.BlockBytes);
        byte* record = memory.Pointer, data = memory.Pointer + Geometry.BlockBytes;
        HashSet<uint> plain = [], sums = [];
        for (int seed = 0; seed < 50; seed++)
        {
            Span<byte> block = new(data, Geometry.BlockBytes);
            new Random(seed).NextBytes(block[..^4]);
            BinaryPrimitives.WriteUInt32LittleEndian(block[^4..], Crc32C.Compute(block[..^4]));
            plain.Add(Crc32C.Compute(block));
            sums.Add(BlockSum.Compute(data));
        }
        Assert.Single(plain);
        Assert.Equal(50, sums.Count);

        LogEntry entry = LogEntry.ForData(1UL << 40, SectorMask.Full, BlockSum.Compute(data));
        RecordInfo info = new() { Position = 33, Sequence = 1, EntryCount = 1 };
        Layout.Native.WriteHeader(record, new Superblock(), new Geometry(128 << 10, 4), info, &entry);
        Assert.True(Layout.Native.IsWhole(record, info));
        Span<byte> older = new(data, Geometry.BlockBytes);
        new Random(99).NextBytes(older[..^4]);
        BinaryPrimitives.WriteUInt32LittleEndian(older[^4..], Crc32C.Compute(older[..^4]));
        Assert.False(Layout.Native.IsWhole(record, info));
    }

    private static uint ByTheBook(ReadOnlySpan<byte> block)
    {
        byte[] registers = new byte[16];
        byte[] lane = new byte[Geometry.BlockBytes / 4];
        for (int i = 0; i < 4; i++)
        {
            for (int word = 0; word < lane.Length / 8; word++)
                block.Slice((word * 4 + i) * 8, 8).CopyTo(lane.AsSpan(word * 8));
            BinaryPrimitives.WriteUInt32LittleEndian(registers.AsSpan(i * 4), ~Crc32C.Compute(lane));
        }
        return Crc32C.Compute(registers);
    }
}

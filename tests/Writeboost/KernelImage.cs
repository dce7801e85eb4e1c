using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Numerics;

namespace Weir.Tests.Writeboost;

/// <summary>A block in a segment of a kernel image.</summary>
public sealed record KernelBlock(ulong Sector, byte DirtyBits, byte[] Data, byte Device = 1);

/// <summary>
/// Cache images of the kernel's programs, byte by byte from the description of their structures: it knows nothing of
/// the codecs under test.
/// </summary>
public sealed class KernelImage
{
    private const int Region = 1 << 20;
    private readonly string _layout;
    private readonly int _segmentBytes;

    public KernelImage(string layout, int segments)
    {
        _layout = layout;
        _segmentBytes = layout == "writeboost2" ? 512 << 10 : 1 << 20;
        Segments = segments;
        Bytes = new byte[Region + (segments * _segmentBytes)];
        if (layout != "lc1") new byte[] { 0x74, 0x73, 0x42, 0x57 }.CopyTo(Bytes, 0);
    }

    public KernelImage(string layout, int segments, ReadOnlySpan<byte> bytes)
        : this(layout, segments) => bytes[..Bytes.Length].CopyTo(Bytes);

    public int Segments { get; }

    public byte[] Bytes { get; }

    public long Mark
    {
        get => BinaryPrimitives.ReadInt64LittleEndian(Bytes.AsSpan(MarkOffset));
        set => BinaryPrimitives.WriteInt64LittleEndian(Bytes.AsSpan(MarkOffset), value);
    }

    private int MarkOffset => _layout == "lc1" ? 0 : Region - 512;

    public int OffsetOf(long id) => Region + (int)((id - 1) % Segments * _segmentBytes);

    public void Put(long id, params KernelBlock[] blocks)
    {
        Span<byte> segment = Bytes.AsSpan(OffsetOf(id), _segmentBytes);
        segment[..4096].Clear();
        BinaryPrimitives.WriteInt64LittleEndian(segment, id);
        segment[_layout == "writeboost2" ? 12 : 8] = (byte)blocks.Length;
        if (_layout != "writeboost2") BinaryPrimitives.WriteUInt32LittleEndian(segment[9..], Lap(id));
        for (int i = 0; i < blocks.Length; i++)
        {
            PutEntry(segment[EntryOffset(i)..], blocks[i], id);
            blocks[i].Data.CopyTo(segment[(4096 * (i + 1))..]);
        }
        if (_layout == "writeboost2")
            BinaryPrimitives.WriteUInt32LittleEndian(segment[8..], Checksum(segment, blocks.Length));
    }

    public List<KernelBlock> Get(long id)
    {
        Span<byte> segment = Bytes.AsSpan(OffsetOf(id), _segmentBytes);
        List<KernelBlock> blocks = [];
        if (BinaryPrimitives.ReadInt64LittleEndian(segment) != id) return blocks;
        int length = segment[_layout == "writeboost2" ? 12 : 8];
        for (int i = 0; i < length; i++)
        {
            Span<byte> entry = segment[EntryOffset(i)..];
            int bits = _layout == "lc1" ? 9 : 8;
            byte device = _layout == "lc1" ? entry[8] : (byte)1;
            blocks.Add(new KernelBlock(BinaryPrimitives.ReadUInt64LittleEndian(entry), entry[bits],
                segment.Slice(4096 * (i + 1), 4096).ToArray(), device));
        }
        return blocks;
    }

    /// <summary>What the program checks before it believes a segment.</summary>
    public bool IsBelieved(long id)
    {
        Span<byte> segment = Bytes.AsSpan(OffsetOf(id), _segmentBytes);
        if (BinaryPrimitives.ReadInt64LittleEndian(segment) != id) return false;
        int length = segment[_layout == "writeboost2" ? 12 : 8];
        if (_layout == "writeboost2")
            return Checksum(segment, length) == BinaryPrimitives.ReadUInt32LittleEndian(segment[8..]);
        for (int i = 0; i < length; i++)
        {
            int lap = EntryOffset(i) + (_layout == "lc1" ? 10 : 9);
            if (BinaryPrimitives.ReadUInt32LittleEndian(segment[lap..]) != Lap(id)) return false;
        }
        return true;
    }

    private int EntryOffset(int index) => _layout switch
    {
        "writeboost2" => 512 + (16 * index),
        "writeboost1" => 13 + (13 * index),
        _ => 13 + (14 * index),
    };

    private void PutEntry(Span<byte> entry, KernelBlock block, long id)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(entry, block.Sector);
        if (_layout == "lc1") entry[8] = block.Device;
        entry[_layout == "lc1" ? 9 : 8] = block.DirtyBits;
        if (_layout == "writeboost1") BinaryPrimitives.WriteUInt32LittleEndian(entry[9..], Lap(id));
        if (_layout == "lc1") BinaryPrimitives.WriteUInt32LittleEndian(entry[10..], Lap(id));
    }

    private uint Lap(long id) => (uint)((id - 1) / Segments) + 1;

    private static uint Checksum(ReadOnlySpan<byte> segment, int length)
    {
        uint sum = ~0u;
        foreach (byte value in segment[512..(4096 * (length + 1))]) sum = BitOperations.Crc32C(sum, value);
        return ~sum;
    }
}

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Text;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>Memory that outlives the process, byte for byte: an upgrade reads what an older weir has left.</summary>
public sealed unsafe class RamFormatTests
{
    private const int SegmentBytes = 128 << 10, Slots = 32, Count = 2, MetaBytes = 4096;
    private const string BootId = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";
    private static readonly Guid s_cacheId = Guid.Parse("67452301-ab89-efcd-0123-456789abcdef");

    [Fact]
    public void SizesAndOffsetsAreThoseOfThePicture()
    {
        Assert.Equal((4096, 16), (sizeof(RamHead), sizeof(SealedHeader)));
        AssertOffset<RamHead>(nameof(RamHead.Magic), 0);
        AssertOffset<RamHead>(nameof(RamHead.CacheId), 8);
        AssertOffset<RamHead>(nameof(RamHead.Epoch), 24);
        AssertOffset<RamHead>(nameof(RamHead.SegmentBytes), 32);
        AssertOffset<RamHead>(nameof(RamHead.Count), 36);
        AssertOffset<RamHead>(nameof(RamHead.BootId), 40);
        AssertOffset<RamHead>(nameof(RamHead.DurablePosition), 80);
        AssertOffset<RamHead>(nameof(RamHead.Version), 88);
        AssertOffset<RamHead>(nameof(RamHead.CachePathBytes), 92);
        AssertOffset<RamHead>(nameof(RamHead.CachePath), 96);
        AssertOffset<RamHead>(nameof(RamHead.Sealed), 1024);
        AssertOffset<SealedHeader>(nameof(SealedHeader.Segment), 0);
        AssertOffset<SealedHeader>(nameof(SealedHeader.Checksum), 8);
    }

    [Fact]
    public void MemoryIsTheseBytes()
    {
        using BytesStore store = new();
        using RamSegments ram = RamSegments.Create(store, "x", Sample(), Count, "/srv/cäche");
        ram.DurablePosition = 0x1122;
        ram.NoteSealed(130, 0xa4a3a2a1);
        ram.Assign(1, 0x0102030405);
        *ram.Data(1, 3) = 0x77;
        *ram.Entry(1, 3) = LogEntry.ForData(0x03_12_3456_789aUL, 0x3c, 0xdeadbeef);
        ram.Publish(1, 3, 0x0102030405);
        byte[] expected = Golden(version: 1, "/srv/cäche");
        Assert.Equal(expected.Length, store.Bytes.Length);
        for (int i = 0; i < expected.Length; i++) Assert.True(expected[i] == store.Bytes[i], $"byte {i}");
    }

    /// <summary>A build from before there was a version wrote the same, without version and path.</summary>
    [Theory]
    [InlineData(0u)]
    [InlineData(1u)]
    public void WhatAnEarlierBuildLeftIsRead(uint version)
    {
        using BytesStore store = new() { Bytes = Golden(version, version == 0 ? "" : "/srv/cäche") };
        using RamSegments ram = RamSegments.Open(store, "x", Sample(), Assert.Fail)!;
        Assert.Equal((Count, 0x1122L, 0x0102030405L), (ram.Count, ram.DurablePosition, ram.SequenceOf(1)));
        Assert.True(ram.IsPublished(1, 3, 0x0102030405));
        Assert.False(ram.IsPublished(1, 2, 0x0102030405));
        Assert.True(ram.HasSealed(130, 0xa4a3a2a1));
        Assert.Equal((0x77, 0x3c), (*ram.Data(1, 3), ram.Entry(1, 3)->Sectors));
    }

    [Theory]
    [InlineData(7u, '1', "version 7")]
    [InlineData(1u, '2', "version '2'")]
    public void AnUnknownVersionIsRefusedByName(uint version, char family, string text)
    {
        using BytesStore store = new() { Bytes = Golden(version, "") };
        store.Bytes[7] = (byte)family;
        UserErrorException e =
            Assert.Throws<UserErrorException>(() => RamSegments.Open(store, "x", Sample(), Assert.Fail));
        Assert.Contains(text, e.Message, StringComparison.Ordinal);
        // Of another life it holds nothing that counts.
        Superblock next = Sample();
        next.Epoch++;
        Assert.Null(RamSegments.Open(store, "x", next, Assert.Fail));
    }

    [Theory]
    [InlineData("cut", "is not whole")]
    [InlineData("head cut", "less than the head")]
    [InlineData("scribbled", "does not begin as memory")]
    [InlineData("never made", "")]
    public void DamageIsSaid(string damage, string line)
    {
        byte[] golden = Golden(1, "");
        using BytesStore store = new()
        {
            Bytes = damage switch { "cut" => golden[..^1], "head cut" => golden[..4000], _ => golden },
        };
        if (damage is "scribbled" or "never made") store.Bytes.AsSpan(0, 8).Fill((byte)(damage == "scribbled" ? 9 : 0));
        List<string> lines = [];
        Assert.Null(RamSegments.Open(store, "x", Sample(), lines.Add));
        if (line.Length == 0) Assert.Empty(lines);
        else Assert.Contains(line, Assert.Single(lines), StringComparison.Ordinal);
    }

    private static byte[] Golden(uint version, string path)
    {
        byte[] bytes = new byte[4096 + (Count * (MetaBytes + SegmentBytes))];
        Convert.FromHexString("5745495252414d31" + "0123456789abcdef0123456789abcdef" + "0500000000000000"
            + "00000200" + "02000000").CopyTo(bytes, 0);
        Encoding.ASCII.GetBytes(BootId).CopyTo(bytes, 40);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(80), 0x1122);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(88), version);
        byte[] name = Encoding.UTF8.GetBytes(path);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(92), name.Length);
        name.CopyTo(bytes, 96);
        for (int i = 0; i < 128; i++) bytes.AsSpan(1024 + (i * 16), 8).Fill(0xff);
        Convert.FromHexString("8200000000000000" + "a1a2a3a4" + "00000000").CopyTo(bytes, 1024 + (2 * 16));
        int meta = 4096 + MetaBytes;
        Convert.FromHexString("0504030201000000").CopyTo(bytes, meta);
        Convert.FromHexString("0b080604").CopyTo(bytes, meta + 64 + (3 * 4));
        LogEntry entry = LogEntry.ForData(0x03_12_3456_789aUL, 0x3c, 0xdeadbeef);
        new ReadOnlySpan<byte>(&entry, 15).CopyTo(bytes.AsSpan(meta + 64 + (Slots * 4) + (3 * 15)));
        bytes[4096 + (Count * MetaBytes) + SegmentBytes + (3 * 4096)] = 0x77;
        return bytes;
    }

    private static Superblock Sample() => new() { CacheId = s_cacheId, Epoch = 5, SegmentBytes = SegmentBytes };

    private static void AssertOffset<T>(string field, int offset) =>
        Assert.Equal(offset, (int)Marshal.OffsetOf<T>(field));

    /// <summary>One region, pinned where a test can see its bytes.</summary>
    private sealed class BytesStore : IRamStore, IDisposable
    {
        private GCHandle _pin;

        public byte[] Bytes { get; set; } = [];

        public string BootId => RamFormatTests.BootId;

        public bool OutlivesProcess => true;

        public IReadOnlyList<IRamRegion> Open(string name) => [Pin()];

        public IRamRegion Create(string name, long sizeBytes)
        {
            Bytes = new byte[sizeBytes];
            return Pin();
        }

        public void Delete(string name)
        {
        }

        public void Dispose()
        {
            if (_pin.IsAllocated) _pin.Free();
        }

        private Region Pin()
        {
            if (_pin.IsAllocated) _pin.Free();
            _pin = GCHandle.Alloc(Bytes, GCHandleType.Pinned);
            return new Region((byte*)_pin.AddrOfPinnedObject(), Bytes.Length);
        }

        private sealed class Region(byte* start, long sizeBytes) : IRamRegion
        {
            public byte* Pointer => start;

            public long SizeBytes => sizeBytes;

            public void Dispose()
            {
            }
        }
    }
}

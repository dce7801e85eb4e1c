using System;
using System.Collections.Generic;
using System.Linq;
using System.Numerics;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>
/// The kernel's layouts, both ways, against images made and read by <see cref="KernelImage"/>; what each can and
/// cannot tell.
/// </summary>
public sealed unsafe class KernelLayoutTests
{
    private const int Segments = 6;
    private const long BackingBytes = 4 << 20;

    public static TheoryData<string> Layouts => ["writeboost2", "writeboost1", "lc1"];

    [Theory]
    [InlineData("writeboost2", "0700000000000000" + "????????" + "0200", 512,
        "1000000000000000" + "ff" + "00000000000000" + "2000000000000000" + "06" + "00000000000000")]
    [InlineData("writeboost1", "0700000000000000" + "02" + "02000000", 13,
        "1000000000000000" + "ff" + "02000000" + "2000000000000000" + "06" + "02000000")]
    [InlineData("lc1", "0700000000000000" + "02" + "02000000", 13,
        "1000000000000000" + "01" + "ff" + "02000000" + "2000000000000000" + "01" + "06" + "02000000")]
    public void AHeaderIsTheseBytes(string name, string head, int entriesOffset, string entries)
    {
        Layout layout = Layout.Find(name);
        Superblock superblock = layout.NewSuperblock(layout.DefaultSegmentBytes, Segments, Guid.NewGuid);
        using AlignedMemory record = new(3 * 4096);
        LogEntry* list = stackalloc LogEntry[2];
        list[0] = LogEntry.ForData(((ulong)Layout.OnlyDevice << 40) | 2, 0xFF, 0);
        list[1] = LogEntry.ForData(((ulong)Layout.OnlyDevice << 40) | 4, 0x06, 0);
        Geometry geometry = layout.GeometryOf(superblock);
        RecordInfo info = new()
        {
            Position = geometry.Position(7, 0), Sequence = 7, EntryCount = 2, DurablePosition = geometry.Position(6, 0),
        };
        layout.WriteHeader(record.Pointer, superblock, geometry, info, list);
        string found = Convert.ToHexStringLower(new ReadOnlySpan<byte>(record.Pointer, 4096));
        for (int i = 0; i < head.Length; i++) Assert.True(head[i] == '?' || head[i] == found[i], found[..64]);
        Assert.Equal(entries, found.Substring(2 * entriesOffset, entries.Length));
        Assert.True(layout.TryReadHeader(record.Pointer, superblock, geometry, info.Position, out RecordInfo read));
        Assert.Equal((7, 2), (read.Sequence, read.EntryCount));
        Assert.False(layout.TryReadHeader(record.Pointer, superblock, geometry, geometry.Position(1, 0), out _));
        Assert.Equal(1 << 20, Geometry.OffsetOfPhysical(geometry.PhysicalSlot(info.Position)));
        // And our seal; zeroes elsewhere.
        bool isTwo = name == "writeboost2";
        int used = entriesOffset + (entries.Length / 2), place = isTwo ? 480 : 4064;
        ReadOnlySpan<byte> bytes = new(record.Pointer, 3 * 4096);
        ReadOnlySpan<byte> sums = isTwo ? [.. Sum(bytes[..13]), 0, 0, 0, 0]
            : [.. Sum(bytes[..used]), .. Sum(bytes[4096..])];
        ReadOnlySpan<byte> seal = [.. "WEIRSEAL"u8, .. sums, 5, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0];
        Assert.Equal([.. seal, .. Sum(seal)], bytes.Slice(place, 32));
        Assert.Equal(-1, bytes[used..(isTwo ? 4096 : 4064)].IndexOfAnyExcept((byte)0));
        Assert.Equal(-1, bytes[13..(isTwo ? 480 : 13)].IndexOfAnyExcept((byte)0));
    }

    /// <summary>What a header is believed for, where no checksum of the kernel's covers its data.</summary>
    [Theory]
    [InlineData("writeboost1")]
    [InlineData("lc1")]
    public void ASealSaysWhetherTheDataIsWhatWasWritten(string name)
    {
        SegmentLayout layout = (SegmentLayout)Layout.Find(name)!;
        Assert.Equal((32, 4064), (sizeof(SegmentSeal), layout.SealOffset));
        Superblock superblock = layout.NewSuperblock(layout.DefaultSegmentBytes, Segments, Guid.NewGuid);
        using AlignedMemory record = new(2 * 4096);
        LogEntry* list = stackalloc LogEntry[1];
        list[0] = LogEntry.ForData(((ulong)Layout.OnlyDevice << 40) | 2, 0xFF, 0);
        Geometry geometry = layout.GeometryOf(superblock);
        RecordInfo info = new() { Position = geometry.Position(7, 0), Sequence = 7, EntryCount = 1 };
        layout.WriteHeader(record.Pointer, superblock, geometry, info, list);
        Assert.Equal(RecordProof.Whole, layout.ProofOf(record.Pointer, info));
        record.Pointer[8191] ^= 1;
        Assert.Equal(RecordProof.HeaderOnly, layout.ProofOf(record.Pointer, info));
        record.Pointer[8191] ^= 1;
        record.Pointer[13] ^= 1;
        Assert.Equal(RecordProof.None, layout.ProofOf(record.Pointer, info));
        record.Pointer[13] ^= 1;
        record.Pointer[4064] ^= 1;
        Assert.Equal(RecordProof.None, layout.ProofOf(record.Pointer, info));
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void WeirReadsWhatTheKernelWrote(string layout)
    {
        KernelImage image = new(layout, Segments) { Mark = 1 };
        image.Put(1, Block(8, 0xFF, 1));
        image.Put(2, Block(8, 0xFF, 2), Block(80, 0x0F, 3));
        image.Put(3, Block(80, 0x18, 4), Block(160, 0xFF, 5));
        using Pair pair = new(layout, image);
        using DirectClient client = pair.Open();
        Assert.Equal(Filled(2, 4096), client.Read(8 * 512, 4096));
        byte[] mixed = client.Read(80 * 512, 4096);
        Assert.Equal(new byte[] { 3, 3, 3, 4, 4, 9, 9, 9 }, Enumerable.Range(0, 8).Select(i => mixed[i * 512]));
        Assert.Equal(Filled(5, 4096), client.Read(160 * 512, 4096));
        Assert.Equal(Filled(9, 4096), client.Read(0, 4096));
        client.DrainAll();
        client.Stop();
        KernelImage after = pair.Image();
        Assert.Equal(3, after.Mark);
        Assert.Equal(2, pair.Backing.Start[8 * 512]);
        Assert.Equal(9, pair.Backing.Start[85 * 512]);
        Assert.Equal(4, pair.Backing.Start[84 * 512]);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void TheKernelReadsWhatWeirWrote(string layout)
    {
        using Pair pair = new(layout, new KernelImage(layout, Segments));
        using DirectClient client = pair.Open();
        client.Write(4096, Filled(1, 4096));
        client.Write(8192 + 512, Filled(2, 1024));
        client.Flush();
        client.Write(4096, Filled(3, 4096));
        client.Stop();
        KernelImage after = pair.Image();
        List<KernelBlock> first = after.Get(1), second = after.Get(2);
        Assert.True(after.IsBelieved(1) && after.IsBelieved(2));
        Assert.Empty(after.Get(3));
        Assert.Equal([(8UL, (byte)0xFF), (16UL, (byte)0x06)], first.Select(b => (b.Sector, b.DirtyBits)));
        Assert.Equal(2, first[1].Data[512]);
        Assert.Equal((8UL, (byte)3), (second.Single().Sector, second[0].Data[4095]));
        Assert.Equal(0, after.Mark);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void AFullLogWithoutAMarkStartsAtItsOldestSegment(string layout)
    {
        KernelImage image = new(layout, Segments);
        for (int id = 1; id <= Segments + 2; id++)
            image.Put(id, Block(8 * (ulong)id, 0xFF, (byte)id), Block(0, 0xFF, (byte)id));
        using Pair pair = new(layout, image);
        using DirectClient client = pair.Open();
        Assert.Equal(Filled(Segments + 2, 4096), client.Read(0, 4096));
        Assert.Equal(Filled(3, 4096), client.Read(3 * 4096, 4096));
        Assert.Equal(Filled(9, 4096), client.Read(2 * 4096, 4096));
        client.Write(4096, Filled(77, 4096));
        client.Flush();
        Assert.Equal(Filled(77, 4096), client.Read(4096, 4096));
        client.Stop();
        Assert.True(pair.Image().IsBelieved(Segments + 3));
        Assert.True(pair.Image().Mark >= 3);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void ATornSegmentEndsTheLogAndWhatLiesBehindIsErased(string layout)
    {
        KernelImage image = new(layout, Segments);
        image.Put(1, Block(8, 0xFF, 1));
        image.Put(2, Block(8, 0xFF, 2), Block(16, 0xFF, 2));
        image.Put(3, Block(8, 0xFF, 3));
        // Its first sector is new, the rest is what lay there before: another lap, or data that was never written.
        int torn = image.OffsetOf(2) + (layout == "writeboost2" ? 4096 + 512 : layout == "lc1" ? 13 + 10 : 13 + 9);
        image.Bytes[torn] ^= 0x40;
        using Pair pair = new(layout, image);
        List<string> log = [];
        using (DirectClient client = pair.Open(log: log))
        {
            Assert.Equal(Filled(1, 4096), client.Read(4096, 4096));
            Assert.Equal(Filled(9, 4096), client.Read(8192, 4096));
        }
        Assert.Contains(log, line => line.Contains("segment 2 is torn or rotten", StringComparison.Ordinal)
            && line.Contains("2 segments with later ids", StringComparison.Ordinal));
        KernelImage after = pair.Image();
        Assert.Empty(after.Get(2));
        Assert.Empty(after.Get(3));
        Assert.True(after.IsBelieved(1));
    }

    /// <summary>What had been flushed was given up with a line, and the start succeeded.</summary>
    [Theory]
    [InlineData("writeboost2", true, 2)]
    [InlineData("writeboost2", true, 4)]
    [InlineData("writeboost2", false, 2)]
    [InlineData("writeboost1", true, 4)]
    [InlineData("writeboost1", false, 2)]
    [InlineData("lc1", true, 2)]
    [InlineData("lc1", false, 3)]
    public void ARottenSegmentThatWasFlushedIsRefused(string layout, bool stops, int rotten)
    {
        using Pair pair = new(layout, new KernelImage(layout, Segments));
        using (DirectClient client = pair.Open())
        {
            for (int i = 0; i < 4; i++)
            {
                client.Write(i * 4096, Filled((byte)(1 + i), 4096));
                client.Flush();
            }
            if (stops) client.Stop();
        }
        KernelImage image = pair.Image();
        image.Bytes[image.OffsetOf(rotten) + (layout == "writeboost2" ? 4096 + 7 : 13 + 10)] ^= 1;
        pair.Load(image);
        string refused = Refused(pair);
        Assert.Contains($"segment {rotten} of the log is rotten or gone", refused, StringComparison.Ordinal);
        Assert.Contains($"weir repair --layout {layout}", refused, StringComparison.Ordinal);
        Assert.Equal(image.Bytes, pair.Image().Bytes);
        image.Bytes[image.OffsetOf(rotten) + (layout == "writeboost2" ? 4096 + 7 : 13 + 10)] ^= 1;
        pair.Load(image);
        using DirectClient whole = pair.Open();
        Assert.Equal(Filled(4, 4096), whole.Read(3 * 4096, 4096));
    }

    /// <summary>Where the layout has no checksum, our seal has one, and a start asks it by default.</summary>
    [Theory]
    [InlineData("writeboost1", 2)]
    [InlineData("lc1", 2)]
    [InlineData("lc1", 3)]
    public void ARottenBlockUnderASealIsRefusedByAStart(string layout, int rotten)
    {
        using Pair pair = new(layout, new KernelImage(layout, Segments));
        using (DirectClient client = pair.Open())
        {
            for (int i = 0; i < 3; i++)
            {
                client.Write(i * 4096, Filled((byte)(1 + i), 4096));
                client.Flush();
            }
        }
        KernelImage image = pair.Image();
        using (DirectClient client = pair.Open()) Assert.Equal(Filled(3, 4096), client.Read(2 * 4096, 4096));
        pair.Load(image);
        image.Bytes[image.OffsetOf(rotten) + 4096 + 77] ^= 1;
        pair.Load(image);
        Assert.Contains($"segment {rotten} of the log is rotten or gone", Refused(pair), StringComparison.Ordinal);
        Assert.Equal(image.Bytes, pair.Image().Bytes);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void HeadersThatCannotBeOneLogAreRefused(string layout)
    {
        KernelImage image = new(layout, Segments) { Mark = 5 };
        image.Put(1, Block(8, 0xFF, 1));
        using Pair pair = new(layout, image);
        Assert.Contains("segment 5 is said to be written back", Refused(pair), StringComparison.Ordinal);
        image.Mark = 0;
        image.Put(20, Block(8, 0xFF, 1));
        image.Bytes[image.OffsetOf(1)] = 0;
        image.Put(3, Block(8, 0xFF, 1));
        pair.Load(image);
        Assert.Contains("segments 3 and 20 are both there", Refused(pair), StringComparison.Ordinal);
        Assert.Equal(image.Bytes, pair.Image().Bytes);
    }

    /// <summary>One was dropped without a word, the other ended the process.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(255)]
    public void ADeviceNumberThatCannotBeIsRefusedByName(byte device)
    {
        KernelImage image = new("lc1", Segments);
        image.Put(1, Block(8, 0xFF, 1), new KernelBlock(16, 0xFF, Filled(2, 4096), device));
        using Pair pair = new("lc1", image);
        string words = $"segment 1, slot 2 of the log: names backing device number {device}; expected 1 to 254";
        Assert.Contains(words, Refused(pair), StringComparison.Ordinal);
        Assert.Equal(image.Bytes, pair.Image().Bytes);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void DataBeyondTheBackingDeviceIsRefused(string layout)
    {
        KernelImage image = new(layout, Segments);
        image.Put(1, Block((ulong)BackingBytes / 512, 0xFF, 1));
        using Pair pair = new(layout, image);
        Assert.Contains("another device", Refused(pair), StringComparison.Ordinal);
        image.Put(1, Block(13, 0xFF, 1));
        pair.Load(image);
        Assert.Contains("another device", Refused(pair), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void ZeroesAreLoggedBlockByBlockAndADiscardDoesNothing(string layout)
    {
        using Pair pair = new(layout, new KernelImage(layout, Segments));
        using DirectClient client = pair.Open();
        Assert.False(client.Volume.Exports[0].CanDiscard || client.Volume.Exports[0].CanFastZero);
        client.Write(0, Filled(5, 40 * 4096));
        Assert.Equal(0, client.Run(RequestKind.Discard, 0, 40 * 4096));
        Assert.Equal(Filled(5, 40 * 4096), client.Read(0, 40 * 4096));
        Assert.Equal(0, client.Run(RequestKind.WriteZeroes, 512, 38 * 4096));
        Assert.Equal(new byte[38 * 4096], client.Read(512, 38 * 4096));
        Assert.Equal(5, client.Read(0, 512)[0]);
        client.Stop();
        Assert.Equal(79, Enumerable.Range(1, Segments).Sum(id => pair.Image().Get(id).Count));
    }

    /// <summary>A sparse disk was filled with zeroes.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void ZeroesOverAHoleAreNotWrittenBackAndOthersAre(string layout)
    {
        using Pair pair = new(layout, new KernelImage(layout, Segments));
        new Span<byte>(pair.Backing.Start, (int)BackingBytes).Clear();
        new Span<byte>(pair.Backing.Start + (20 * 4096), 4096).Fill(7);
        SparseDevice sparse = new(pair.Backing, 20 * 4096, 21 * 4096);
        CountingDevice backing = new(sparse);
        using (DirectClient client = pair.OpenOver(backing))
        {
            client.Write(0, new byte[40 * 4096]);
            client.Write(30 * 4096, Filled(1, 4096));
            client.Flush();
            client.DrainAll();
            client.Stop();
        }
        // What was content is overwritten, and what is; nothing else.
        Assert.Equal(2, backing.Writes);
        Assert.Equal(0, pair.Backing.Start[20 * 4096]);
        Assert.Equal(1, pair.Backing.Start[30 * 4096]);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void MemoryOfALifeDoesNotCountAfterSomebodyElseHasWritten(string layout)
    {
        using Pair pair = new(layout, new KernelImage(layout, Segments));
        Shared shared = new();
        using (DirectClient client = pair.Open(shared)) client.Write(4096, Filled(1, 4096));
        List<string> log = [];
        KernelImage image = pair.Image();
        image.Put(1, Block(8, 0xFF, 2));
        pair.Load(image);
        using (DirectClient client = pair.Open(shared, log)) Assert.Equal(Filled(2, 4096), client.Read(4096, 4096));
        Assert.Contains(log, line => line.Contains("somebody else", StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void WhatADeadProcessHadAcknowledgedIsWrittenByTheNext(string layout)
    {
        using Pair pair = new(layout, new KernelImage(layout, Segments));
        Shared shared = new();
        for (int life = 1; life <= 4; life++)
        {
            using DirectClient client = pair.Open(shared);
            if (life > 1) Assert.Equal(Filled((byte)(life - 1), 4096), client.Read(4096, 4096));
            client.Write(4096, Filled((byte)life, 4096));
            if (life == 2) client.Flush();
        }
        using DirectClient last = pair.Open(shared);
        Assert.Equal(Filled(4, 4096), last.Read(4096, 4096));
    }

    /// <summary>
    /// A log that has gone round stays where it is on a device that has become larger; one that has not may use it all.
    /// </summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void ALogThatHasGoneRoundKeepsItsNumberOfSegmentsOnALargerDevice(string layout)
    {
        for (int last = Segments - 1; last <= (3 * Segments) + 1; last++)
        {
            KernelImage image = new(layout, Segments) { Mark = Math.Max(0, last - 3) };
            for (int id = Math.Max(1, last - Segments + 1); id <= last; id++)
                image.Put(id, Block(8 * (ulong)id, 0xFF, (byte)id));
            using RamDevice larger = new(image.Bytes.Length + (5 * (image.Bytes.Length - (1 << 20)) / Segments));
            image.Bytes.CopyTo(new Span<byte>(larger.Start, image.Bytes.Length));
            using RamDevice backing = new(BackingBytes);
            for (int id = 1; id <= image.Mark; id++)
                new Span<byte>(backing.Start + (id * 4096L), 4096).Fill((byte)id);
            for (int life = 0; life < 3; life++)
            {
                using DirectClient client = new(larger, backing, new WriteboostOptions
                {
                    Layout = Layout.Find(layout), AllowWriteback = false, SyncIntervalUs = 0,
                });
                long segments = client.Volume.Geometry.SegmentCount;
                if (life == 0) Assert.Equal(last <= Segments ? Segments + 5 : Segments, segments);
                for (int id = Math.Max(1, last - 2); id <= last; id++)
                    Assert.Equal(Filled((byte)id, 512), client.Read(id * 4096L, 512));
                for (int i = 0; i < life; i++)
                    Assert.Equal(Filled((byte)(100 + i), 512), client.Read((200 + i) * 4096L, 512));
                client.Write((200 + life) * 4096L, Filled((byte)(100 + life), 4096));
                client.Flush();
                if (life == 1) client.DrainAll();
                client.Stop();
            }
        }
    }

    private static string Refused(Pair pair) => Assert.Throws<UserErrorException>(() => pair.Open()).Message;

    private static byte[] Sum(ReadOnlySpan<byte> data)
    {
        uint sum = ~0u;
        foreach (byte value in data) sum = BitOperations.Crc32C(sum, value);
        return BitConverter.GetBytes(~sum);
    }

    private static KernelBlock Block(ulong sector, byte dirtyBits, byte value) =>
        new(sector, dirtyBits, Filled(value, 4096));

    private static byte[] Filled(byte value, int lengthBytes)
    {
        byte[] bytes = new byte[lengthBytes];
        Array.Fill(bytes, value);
        return bytes;
    }

    /// <summary>Memory that outlives one volume and not the next.</summary>
    private sealed class Shared : IRamStore
    {
        private readonly Dictionary<string, IRamRegion> _regions = [];
        private readonly PrivateMemoryStore _store = new();

        public string BootId => "00000000-0000-0000-0000-000000000000";

        public bool OutlivesProcess => true;

        public IReadOnlyList<IRamRegion> Open(string name) =>
            _regions.TryGetValue(name, out var region) ? [region] : [];

        public IRamRegion Create(string name, long sizeBytes) =>
            _regions[name] = new Kept(_store.Create(name, sizeBytes));

        public void Delete(string name) => _regions.Remove(name);

        private sealed class Kept(IRamRegion region) : IRamRegion
        {
            public byte* Pointer => region.Pointer;

            public long SizeBytes => region.SizeBytes;

            public void Dispose()
            {
                // The next life opens it again.
            }
        }
    }

    // A hole all over, but from here to there.
    private sealed class SparseDevice(Device inner, long start, long end) : WrappedDevice(inner)
    {
        public override long ExtentEnd(long offsetBytes, out bool isHole)
        {
            isHole = offsetBytes < start || offsetBytes >= end;
            return offsetBytes < start ? start : isHole ? SizeBytes : end;
        }
    }

    private sealed class Pair : IDisposable
    {
        private readonly string _layout;
        private readonly RamDevice _cache;

        public Pair(string layout, KernelImage image)
        {
            _layout = layout;
            _cache = new RamDevice(image.Bytes.Length);
            new Span<byte>(Backing.Start, (int)BackingBytes).Fill(9);
            Load(image);
        }

        public RamDevice Backing { get; } = new(BackingBytes);

        public void Load(KernelImage image) =>
            image.Bytes.CopyTo(new Span<byte>(_cache.Start, image.Bytes.Length));

        public KernelImage Image() =>
            new(_layout, Segments, new ReadOnlySpan<byte>(_cache.Start, (int)_cache.SizeBytes));

        public DirectClient Open(IRamStore? ram = null, List<string>? log = null) => OpenOver(Backing, ram, log);

        public DirectClient OpenOver(Device backing, IRamStore? ram = null, List<string>? log = null) => new(
            _cache, backing,
            new WriteboostOptions
            {
                Layout = Layout.Find(_layout), AllowWriteback = false, Log = (log ?? []).Add,
            },
            ram ?? new Shared());

        public void Dispose()
        {
            _cache.Dispose();
            Backing.Dispose();
        }
    }
}

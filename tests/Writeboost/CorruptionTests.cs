using System;
using System.Collections.Generic;
using System.Linq;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Recovery;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>
/// Every byte of both superblocks, both device tables and every record header of a small <c>native</c> image, one at a
/// time: the damage is named, or it does nothing. Torn and rotten are told apart by D (R5). Every byte goes through
/// recovery's own steps, one in some hundred through a whole volume and its reads as well.
/// </summary>
public sealed unsafe class CorruptionTests : IDisposable
{
    private const int Records = 3, SegmentBytes = 128 << 10, WholeVolumeEvery = 127;
    private readonly RamDevice _cache = new((1 << 20) + (4 * SegmentBytes)), _backing = new(Records * 4096);
    private readonly List<string> _said = [];
    private readonly MemoryContext _io = new();
    private readonly BlockingIo _blocking;
    private readonly DeviceQueue _queue;

    public CorruptionTests()
    {
        _blocking = new BlockingIo(_io);
        _queue = _cache.OpenQueue(_io);
    }

    public void Dispose()
    {
        _cache.Dispose();
        _backing.Dispose();
        _io.Dispose();
    }

    /// <summary>After an orderly stop nothing can be torn: the settled position is the end of the log.</summary>
    [Fact]
    public void AfterAStopEveryDamageIsNamed()
    {
        Fill(stop: true);
        foreach (long at in CopiesOf(DeviceTable.Offsets.ToArray())) AssertHarmless(at);
        foreach (long at in CopiesOf(SuperblockOffsets)) AssertHarmless(at);
        List<long> headers = Headers();
        Assert.Equal(Records, headers.Count);
        foreach (long header in headers)
            for (long at = header; at < header + 4096; at++) AssertRefused(at);
    }

    /// <summary>
    /// After a power cut: what a later header proves to have been flushed is rot, the last record may be torn, and then
    /// the log ends before it.
    /// </summary>
    [Fact]
    public void AfterAPowerCutOnlyTheLastRecordCanBeTorn()
    {
        Fill(stop: false);
        foreach (long at in CopiesOf(SuperblockOffsets)) AssertHarmless(at);
        List<long> headers = Headers();
        Assert.Equal(Records, headers.Count);
        for (int i = 0; i < Records - 1; i++)
            for (long at = headers[i]; at < headers[i] + 4096; at++) AssertRefused(at);
        for (long at = headers[^1]; at < headers[^1] + 4096; at++)
            Assert.Equal(Records - 1, With(at, () => Recover(at)));
    }

    private static long[] SuperblockOffsets => [0, Superblock.CopyBOffset];

    // Block i is written and flushed as record i.
    private void Fill(bool stop)
    {
        using (MemoryContext io = new())
            WriteboostFormat.Format(io, new CountedDevice(_cache), Layout.Native, SegmentBytes, Guid.NewGuid);
        using DirectClient client = Open(readOnly: false);
        byte[] block = new byte[4096];
        for (int i = 0; i < Records; i++)
        {
            Array.Fill(block, (byte)(i + 1));
            client.Write(i * 4096L, block);
            client.Flush();
        }
        if (stop) client.Stop();
        Assert.Equal(Records, CountOfPrefix(Image()));
    }

    private DirectClient Open(bool readOnly) => new(
        new CountedDevice(_cache), new CountedDevice(_backing),
        new WriteboostOptions { ReadOnly = readOnly, RamSegments = 2, Log = _said.Add }, io: new MemoryContext());

    private byte[] Image()
    {
        using DirectClient client = Open(readOnly: true);
        return client.Read(0, Records * 4096);
    }

    // Blocks 1, 2, 3 ... and then nothing but zeroes; -1 for anything else.
    private static int CountOfPrefix(byte[] image)
    {
        int count = 0;
        while (count < Records && image[count * 4096] != 0) count++;
        for (int i = 0; i < image.Length; i++)
            if (image[i] != (i / 4096 < count ? i / 4096 + 1 : 0)) return -1;
        return count;
    }

    private static IEnumerable<long> CopiesOf(long[] offsets)
    {
        foreach (long offset in offsets)
            for (long at = offset; at < offset + 4096; at++) yield return at;
    }

    private List<long> Headers()
    {
        List<long> headers = [];
        for (long at = Geometry.SuperblockRegionBytes; at < _cache.SizeBytes; at += 4096)
            if (*(ulong*)(_cache.Start + at) == RecordHeader.MagicValue) headers.Add(at);
        return headers;
    }

    private void AssertHarmless(long at) => Assert.Equal(Records, With(at, () => Recover(at)));

    private void AssertRefused(long at)
    {
        UserErrorException error = With(at, () => Assert.Throws<UserErrorException>(() => Recover(at)));
        Assert.Contains("damaged", error.Message, StringComparison.Ordinal);
        Assert.Contains("segment", error.Message, StringComparison.Ordinal);
    }

    // How many blocks are there, from the first on.
    private int Recover(long damagedAt)
    {
        int count = Scan(out bool superblockDamaged);
        Assert.Equal(SuperblockOffsets.Any(offset => damagedAt - offset is >= 0 and < 4096), superblockDamaged);
        if (damagedAt % WholeVolumeEvery != 0) return count;
        _said.Clear();
        Assert.Equal(count, CountOfPrefix(Image()));
        Assert.Equal(superblockDamaged, _said.Any(line => line.Contains("superblock copy", StringComparison.Ordinal)));
        return count;
    }

    private int Scan(out bool superblockDamaged)
    {
        Superblock superblock = SuperblockReader.Read(
            Layout.Native, _blocking, _queue, _cache, out string? damaged, out _);
        superblockDamaged = damaged != null;
        using DeviceTable devices = TableReader.ReadDevices(_blocking, _queue, _cache, superblock, out _, out _);
        Geometry geometry = Layout.Native.GeometryOf(superblock);
        using SegmentTable table = new(geometry);
        using BlockIndex index = new(geometry, table, keepChecksums: false);
        using RangeMap ranges = new(4);
        using ILogScan scan = LogScans.New(
            Layout.Native, superblock, geometry, _blocking, _queue, _cache, new Replay(geometry, table, index, ranges),
            readsData: false);
        scan.Run();
        int count = 0;
        while (count < Records && index.NewestPosition(BackingTable.KeyOf(1, count * 4096L)) != 0) count++;
        for (int i = 0; i < count; i++)
        {
            long position = index.NewestPosition(BackingTable.KeyOf(1, i * 4096L));
            Assert.Equal(geometry.Position(1, (2 * i) + 1), position);
        }
        return count;
    }

    private T With<T>(long at, Func<T> check)
    {
        byte change = (byte)(1 + (at * 37 % 255));
        _cache.Start[at] ^= change;
        try
        {
            return check();
        }
        finally
        {
            _cache.Start[at] ^= change;
        }
    }
}

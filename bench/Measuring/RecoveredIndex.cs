using System;
using System.Diagnostics;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Recovery;

namespace Weir.Bench.Measuring;

/// <summary>The index of a <see cref="LogImage"/>, made anew from its log as after a crash.</summary>
internal sealed unsafe class RecoveredIndex : IDisposable
{
    private readonly SegmentTable _table;
    private readonly BlockIndex _index;
    private readonly Geometry _geometry;

    /// <summary>Scans the cache at <paramref name="path"/>, past the page cache, and writes nothing.</summary>
    public RecoveredIndex(string path)
    {
        using RingContext io = new();
        using Device cache = DeviceOpener.Open(path, readOnly: true);
        BlockingIo blocking = new(io);
        DeviceQueue queue = cache.OpenQueue(io);
        Superblock superblock = SuperblockReader.Read(Layout.Native, blocking, queue, cache, out _, out _);
        _geometry = Layout.Native.GeometryOf(superblock);
        _table = new SegmentTable(_geometry);
        _index = new BlockIndex(_geometry, _table, keepChecksums: false);
        using RangeMap ranges = new(16);
        Replay replay = new(_geometry, _table, _index, ranges);
        using ILogScan scan = LogScans.New(
            Layout.Native, superblock, _geometry, blocking, queue, cache, replay, readsData: false);
        long startedAt = Stopwatch.GetTimestamp();
        scan.Run();
        Seconds = Stopwatch.GetElapsedTime(startedAt).TotalSeconds;
        long found = scan.NextSequence - 1;
        if (found != _geometry.SegmentCount)
            throw new InvalidOperationException($"the scan found {found} of {_geometry.SegmentCount} records");
    }

    /// <summary>What the scan took, the making of empty tables apart.</summary>
    public double Seconds { get; }

    /// <summary>Nanoseconds of a look-up that finds its block; the blocks of the whole cache at random.</summary>
    public double LookupNs(int count)
    {
        BlockVersion* versions = stackalloc BlockVersion[BlockIndex.MaxVersions];
        long entries = LogImage.Entries(_geometry.SegmentCount, _geometry.SegmentBytes);
        Prng random = new(7);
        int found = 0;
        long startedAt = Stopwatch.GetTimestamp();
        for (int i = 0; i < count; i++)
        {
            int versionCount = _index.Lookup(LogImage.KeyOf(random.Below(entries)), versions);
            for (int v = 0; v < versionCount; v++) _table.Unpin((int)(versions[v].Slot >> _geometry.SlotShift), 1);
            found += versionCount;
        }
        if (found != count) throw new InvalidOperationException($"the index has {found} of {count} blocks");
        return Stopwatch.GetElapsedTime(startedAt).TotalNanoseconds / count;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _index.Dispose();
        _table.Dispose();
    }
}

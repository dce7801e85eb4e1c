using System;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Recovery;

namespace Weir.Bench;

/// <summary>
/// How fast recovery reads a large log: a sparse file of 64 GiB with 128 K segments, a header in each, scanned in one
/// pass; beside it fio, 64 reads of 4 KiB at a time: of random places, nearly all of them holes for which no device is
/// asked, and of the headers themselves. The three alternate. First the headers alone, their entries void, then with
/// 16 million blocks that go into the index.
/// </summary>
internal static unsafe class RecoveryBench
{
    private const int SegmentBytes = 512 << 10, Segments = 128 << 10, Rounds = 3, FioSeconds = 3;
    private const int EntriesPerRecord = (SegmentBytes / Geometry.BlockBytes) - 1;

    /// <summary>Makes the file in <paramref name="folder"/>, measures, removes it.</summary>
    public static int Run(string folder)
    {
        string path = Path.Combine(folder, $"weir-recovery-{Environment.ProcessId}");
        try
        {
            foreach (EntryKind kind in new[] { EntryKind.Void, EntryKind.Data })
            {
                MakeImage(path, kind);
                for (int round = 1; round <= Rounds; round++) Measure(path, kind);
            }
            return 0;
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static void Measure(string path, EntryKind kind)
    {
        double scan = Scan(path, out long entries, out double milliseconds);
        double random = Fio(path, "--rw=randread");
        double same = Fio(path, $"--rw=read:{(SegmentBytes - Geometry.BlockBytes) >> 10}k");
        string what = kind == EntryKind.Void ? "headers alone" : "with replay";
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"recovery, {what}, depth {HeaderStream.Depth} or more: {Segments} headers, {entries} entries in "
            + $"{milliseconds:f0} ms: {scan:f0} headers/s, {entries / milliseconds * 1000:f0} entries/s; fio depth 64: "
            + $"randread 4k {random:f0}/s, the same headers {same:f0}/s; ratios {scan / random:f2}, {scan / same:f2}"));
    }

    private static void MakeImage(string path, EntryKind kind)
    {
        long bytes = Geometry.SuperblockRegionBytes + ((long)Segments * SegmentBytes);
        using (FileStream file = File.Create(path)) file.SetLength(bytes);
        using RingContext io = new();
        using Device cache = DeviceOpener.Open(path);
        WriteboostFormat.Format(io, cache, Layout.Native, SegmentBytes, Guid.NewGuid);
        BlockingIo blocking = new(io);
        DeviceQueue queue = cache.OpenQueue(io);
        Superblock superblock = SuperblockReader.Read(Layout.Native, blocking, queue, cache, out _, out _);
        Geometry geometry = Layout.Native.GeometryOf(superblock);
        const int window = 256;
        using AlignedMemory headers = new(window * Geometry.BlockBytes);
        LogEntry* entries = stackalloc LogEntry[EntriesPerRecord];
        uint previous = 0;
        for (int i = 0; i < Segments; i++)
        {
            byte* header = headers.Pointer + (i % window * Geometry.BlockBytes);
            previous = Fill(header, superblock, geometry, entries, kind, i, previous);
            blocking.Start(
                queue, IoKind.Write, geometry.OffsetOf(geometry.Position(i + 1, 0)), header, Geometry.BlockBytes);
            if (i % window == window - 1) blocking.WaitOrFail("writing a header", cache);
        }
        blocking.WaitOrFail("writing a header", cache);
    }

    // Random blocks; all but the last known to be durable, so that no data is looked at.
    private static uint Fill(
        byte* header, in Superblock superblock, in Geometry geometry, LogEntry* entries, EntryKind kind, int i,
        uint previous)
    {
        ulong random = (ulong)i * 0x9E3779B97F4A7C15;
        for (int e = 0; e < EntriesPerRecord; e++)
        {
            random = (random ^ (random >> 29)) * 0xBF58476D1CE4E5B9;
            entries[e] = LogEntry.ForData((1UL << 40) | (random >> 36), SectorMask.Full, (uint)random);
            entries[e].Kind = kind;
        }
        RecordInfo info = new()
        {
            Position = geometry.Position(i + 1, 0),
            Sequence = i + 1,
            EntryCount = i == Segments - 1 ? 1 : EntriesPerRecord,
            DurablePosition = geometry.Position(i + 1, 0),
            PreviousChecksum = previous,
        };
        // The last one may be torn: no data of its own, then it is not.
        if (i == Segments - 1) entries[0] = LogEntry.ForRange(1UL << 40, 2, EntryKind.Discard);
        return Layout.Native.WriteHeader(header, superblock, geometry, info, entries);
    }

    private static double Scan(string path, out long entries, out double milliseconds)
    {
        using RingContext io = new();
        using Device cache = DeviceOpener.Open(path, readOnly: true);
        BlockingIo blocking = new(io);
        DeviceQueue queue = cache.OpenQueue(io);
        Superblock superblock = SuperblockReader.Read(Layout.Native, blocking, queue, cache, out _, out _);
        superblock.Epoch = 0;
        Geometry geometry = Layout.Native.GeometryOf(superblock);
        using SegmentTable table = new(geometry);
        using BlockIndex index = new(geometry, table, keepChecksums: false);
        using RangeMap ranges = new(16);
        Replay replay = new(geometry, table, index, ranges);
        using ILogScan scan = LogScans.New(
            Layout.Native, superblock, geometry, blocking, queue, cache, replay, readsData: false);
        Stopwatch watch = Stopwatch.StartNew();
        scan.Run();
        milliseconds = watch.Elapsed.TotalMilliseconds;
        entries = replay.EntryCount;
        if (scan.NextSequence != Segments + 1)
            throw new InvalidOperationException($"the scan ended at record {scan.NextSequence}, not {Segments + 1}");
        return Segments / watch.Elapsed.TotalSeconds;
    }

    private static double Fio(string path, string pattern)
    {
        ProcessStartInfo start = new("fio", [
            "--name=headers", "--filename=" + path, pattern, "--offset=1M", "--bs=4k", "--iodepth=64", "--direct=1",
            "--ioengine=io_uring", "--readonly", "--time_based", $"--runtime={FioSeconds}", "--output-format=terse"])
        {
            RedirectStandardOutput = true,
        };
        using Process fio = Process.Start(start) ?? throw new InvalidOperationException("fio does not start");
        string[] fields = fio.StandardOutput.ReadToEnd().Trim().Split(';');
        fio.WaitForExit();
        if (fio.ExitCode != 0) throw new InvalidOperationException("fio failed");
        // Terse version 3: the eighth field is the read IOPS.
        return double.Parse(fields[7], CultureInfo.InvariantCulture);
    }
}

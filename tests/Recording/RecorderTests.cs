using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.Json;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Traces;
using Weir.Frontends.Recording;
using Weir.Frontends.Status;
using Xunit;

namespace Weir.Tests.Recording;

/// <summary>What queue threads note is in the file, once and in the order of time, or counted as left out.</summary>
public sealed class RecorderTests(ITestOutputHelper output) : IDisposable
{
    private static readonly byte[] s_export = "disk"u8.ToArray();

    private readonly TestFolder _folder = new();
    private readonly List<string> _log = [];

    private string Path => _folder.PathOf("trace.csv");

    public void Dispose() => _folder.Dispose();

    private void Log(string line)
    {
        lock (_log) _log.Add(line);
    }

    private List<TraceRecord> Read()
    {
        using TraceReader reader = TraceReader.Open(Path);
        List<TraceRecord> records = [];
        while (reader.TryRead(out TraceRecord record)) records.Add(record);
        return records;
    }

    [Fact]
    public void EveryKindComesBackAsItWasAsked()
    {
        TraceTap tap = new();
        using (TraceRecording recording = new(Path, [tap], Log))
        {
            tap.Note(RequestKind.Read, 0, 1, s_export);
            tap.Note(RequestKind.Flush, 0, 0, s_export);
            tap.Note(RequestKind.Write, 1L << 52, 64 << 20, s_export);
            tap.Note(RequestKind.Discard, 4096, 1L << 40, "a,\"b\n"u8.ToArray());
            tap.Note(RequestKind.WriteZeroes, 512, 512, Encoding.UTF8.GetBytes(new string('ü', 4000)));
        }
        tap.Note(RequestKind.Read, 0, 1, s_export);
        List<TraceRecord> records = Read();
        Assert.Equal([TraceOp.Read, TraceOp.Write, TraceOp.Discard, TraceOp.Discard], records.Select(static r => r.Op));
        Assert.Equal([0, 1L << 52, 4096, 512], records.Select(static r => r.OffsetBytes));
        Assert.Equal([1, 64 << 20, 1 << 30, 512], records.Select(static r => r.LengthBytes));
        Assert.Equal([0, 0, 1, 2], records.Select(static r => r.Device));
        Assert.Contains(",4096,1099511627776,a__b_\n", File.ReadAllText(Path), StringComparison.Ordinal);
        Assert.Empty(_log);
    }

    /// <summary>Whatever thread it comes by.</summary>
    [Fact]
    public void TheOrderIsThatOfTime()
    {
        TraceTap[] taps = [new(), new(), new()];
        using (TraceRecording recording = new(Path, taps, Log))
            for (int i = 0; i < 3000; i++) taps[i * 7 % 3].Note(RequestKind.Read, i * 512L, 512, s_export);
        Assert.Equal(Enumerable.Range(0, 3000).Select(static i => i * 512L), Read().Select(static r => r.OffsetBytes));
    }

    /// <summary>Several threads at full speed: written ones and dropped ones are all there are.</summary>
    [Fact]
    public void NothingIsLostUncounted()
    {
        const int threads = 3, requests = 200_000;
        TraceTap[] taps = [.. Enumerable.Range(0, threads).Select(static _ => new TraceTap())];
        TraceRecording recording = new(Path, taps, Log);
        Thread[] noting = [.. taps.Select((tap, number) => new Thread(() =>
        {
            for (int i = 0; i < requests; i++) tap.Note(RequestKind.Read, ((long)number << 40) + i, 512, s_export);
        }))];
        foreach (Thread thread in noting) thread.Start();
        foreach (Thread thread in noting) thread.Join();
        recording.Dispose();
        List<TraceRecord> records = Read();
        Assert.Equal(threads * requests, recording.Written + recording.Dropped);
        Assert.Equal(recording.Written, records.Count);
        Assert.Equal(records.Count, records.Select(static r => r.OffsetBytes).Distinct().Count());
        Assert.All(records.GroupBy(static r => r.OffsetBytes >> 40),
            static one => Assert.Equal(one.Order(ByOffset), one, static (a, b) => a.OffsetBytes == b.OffsetBytes));
    }

    private static Comparer<TraceRecord> ByOffset =>
        Comparer<TraceRecord>.Create(static (a, b) => a.OffsetBytes.CompareTo(b.OffsetBytes));

    /// <summary>The queue threads' part: no byte, whether there is room or not.</summary>
    [Fact]
    public void NotingAllocatesNothing()
    {
        TraceTap tap = new();
        TraceRing ring = new();
        tap.Begin(ring);
        tap.Note(RequestKind.Read, 0, 1, s_export);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 3 * TraceRing.Capacity; i++) tap.Note(RequestKind.Write, i, 1, s_export);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        Assert.Equal((2 * TraceRing.Capacity) + 1, ring.Dropped);
        Assert.Equal(TraceRing.Capacity, ring.Tail);
    }

    /// <summary>It goes on behind what is there, and takes half a line of a process that was killed away.</summary>
    [Fact]
    public void ATraceGoesOn()
    {
        TraceTap tap = new();
        using (TraceRecording recording = new(Path, [tap], Log)) tap.Note(RequestKind.Read, 512, 512, s_export);
        File.AppendAllText(Path, "1700000000000000,R,10");
        using (TraceRecording recording = new(Path, [tap], Log)) tap.Note(RequestKind.Read, 1024, 512, s_export);
        List<TraceRecord> records = Read();
        Assert.Equal([512, 1024], records.Select(static r => r.OffsetBytes));
        Assert.True(records[0].TimeUs <= records[1].TimeUs && records[0].TimeUs > 1_600_000_000_000_000);
    }

    [Theory]
    [InlineData("precious data of a user, longer than the header of a trace")]
    [InlineData("x")]
    public void NothingElseIsWrittenOver(string content)
    {
        File.WriteAllText(Path, content);
        UserErrorException error = Assert.Throws<UserErrorException>(() => new TraceRecording(Path, [], Log));
        Assert.Contains("is no trace of weir; expected a new file", error.Message, StringComparison.Ordinal);
        Assert.Equal(content, File.ReadAllText(Path));
        Assert.Throws<UserErrorException>(() => new TraceRecording(_folder.Path, [], Log));
        Assert.Throws<UserErrorException>(() => new TraceRecording("/dev/null", [], Log));
    }

    /// <summary>A full disk ends the recording, with one line, and it can begin again elsewhere.</summary>
    [Fact]
    public void AFullDiskEndsIt()
    {
        using TmpfsFolder small = new();
        if (!small.TryMount("64k", output.WriteLine)) return;
        TraceTap tap = new();
        using TraceRecorder recorder = new(Log);
        recorder.Connect([tap]);
        recorder.Start(System.IO.Path.Combine(small.Path, "t"));
        WeirProcess.Until(() => Fills(tap), "a full disk");
        Assert.Contains("t: cannot be written: ", Assert.Single(_log), StringComparison.Ordinal);
        Assert.StartsWith("failed: ", StateOf(recorder), StringComparison.Ordinal);
        VolumeCommand command = recorder.Command;
        Assert.Throws<UserErrorException>(() => command.RunWith!(["off"], null!));
        Assert.Contains(Path, command.RunWith!([Path], null!), StringComparison.Ordinal);
        Assert.Throws<UserErrorException>(() => command.RunWith!([Path], null!));
        tap.Note(RequestKind.Read, 7, 1, s_export);
        Assert.EndsWith(": 1 requests, 0 left out\n", command.RunWith!(["off"], null!), StringComparison.Ordinal);
        Assert.Equal(7, Assert.Single(Read()).OffsetBytes);
        Assert.Single(_log);
    }

    private bool Fills(TraceTap tap)
    {
        for (int i = 0; i < 1000; i++) tap.Note(RequestKind.Read, i, 1, s_export);
        lock (_log) return _log.Count > 0;
    }

    private static string StateOf(TraceRecorder recorder)
    {
        using JsonStatus status = new();
        recorder.Report(status);
        return JsonDocument.Parse(status.Finish()).RootElement.GetProperty("trace").GetString()!;
    }
}

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Frontends.Commands;
using Weir.Frontends.Compose;
using Weir.Frontends.Status;

namespace Weir.Frontends.Bench;

/// <summary>What a benchmark is started with.</summary>
/// <param name="Job">What is measured.</param>
/// <param name="Queues">Threads, each with the whole job.</param>
/// <param name="Seconds">For how long it is measured.</param>
/// <param name="WarmUpSeconds">For how long it runs before that.</param>
/// <param name="Fills">The span is written once before, and the log flushed to the cache device, not drained.</param>
/// <param name="MemoryBytes">Of each queue, through which the bytes of requests move.</param>
internal sealed record BenchSpec(
    BenchJob Job, int Queues, double Seconds, double WarmUpSeconds, bool Fills, long MemoryBytes);

/// <summary>
/// <c>weir bench</c>: a volume, its queue threads as in <c>weir serve</c>, and <see cref="BenchQueue"/> in the place of
/// clients.
/// </summary>
internal sealed class BenchRun : IDisposable
{
    private readonly OpenedVolume _volume;
    private readonly BenchSpec _spec;
    private readonly BenchQueue[] _queues;
    private readonly QueueThread[] _threads;

    private BenchRun(OpenedVolume volume, BenchSpec spec)
    {
        (_volume, _spec) = (volume, spec);
        OpenedExport export = volume.Exports[0];
        Invariant.Check(spec.Job.SpanBytes <= export.Part.SizeBytes);
        _queues = new BenchQueue[spec.Queues];
        _threads = new QueueThread[spec.Queues];
        for (int i = 0; i < spec.Queues; i++)
        {
            _queues[i] = new BenchQueue(export, spec.Job.Depth, spec.MemoryBytes, (ulong)i + 1);
            _threads[i] = new QueueThread(i, static () => new RingContext(), [volume.Volume], _queues[i], Die);
            _threads[i].Start();
        }
    }

    /// <summary>Runs it; the figures as one JSON object.</summary>
    public static string Run(VolumeSpec volumeSpec, BenchSpec spec)
    {
        BlockDevices.CheckNoneWaits(volumeSpec);
        CheckSize(volumeSpec.Devices.Backings[0].Path, spec.Job.SpanBytes);
        bool onlyReads = spec.Job.ReadPercent == 100 && !spec.Fills && volumeSpec.Devices.Cache == null;
        if (!volumeSpec.Force && !onlyReads) CheckNothingIsThere(volumeSpec);
        using OpenedVolume volume = Opening.Run(volumeSpec, Program.Log);
        using BenchRun run = new(volume, spec);
        using JsonStatus figures = new();
        try
        {
            if (spec.Fills) run.Fill();
            run.Measure(figures);
        }
        finally
        {
            run.Stop();
        }
        return figures.Finish();
    }

    private static void CheckNothingIsThere(VolumeSpec spec) => ToolCommand.WithProgress(shows: true, progress =>
    {
        Contents.CheckBlank(spec, progress);
        return 0;
    });

    // Before anything is formatted.
    private static void CheckSize(string path, long spanBytes)
    {
        using Device backing = DeviceOpener.Open(path, readOnly: true, anySize: true);
        long sizeBytes = backing.ClientBytes / backing.LogicalBlockBytes * backing.LogicalBlockBytes;
        if (spanBytes <= sizeBytes) return;
        throw new UserErrorException(
            $"--size {ByteSize.Format(spanBytes)}: {path} has {ByteSize.Format(sizeBytes)}", Program.WrongUsage);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (QueueThread thread in _threads) thread.Dispose();
    }

    private static void Die(Exception e) =>
        Environment.Exit(Program.Complain($"a queue failed: {e.Message}\n{e.StackTrace}", Program.Failed));

    // By the first queue alone, in large pieces; then the log is flushed to the cache device, so that reads of the job
    // find there what the cache holds. It is not drained: what is dirty stays so.
    private void Fill()
    {
        const int block = 256 << 10;
        _queues[0].Begin(_spec.Job with
        {
            Pattern = BenchPattern.Sequential,
            ReadPercent = 0,
            BlockBytes = block,
            StrideBytes = 0,
            FlushesEach = false,
            Depth = Math.Min(_spec.Job.Depth, 8),
            RequestsMax = _spec.Job.SpanBytes / block,
        });
        _queues[0].Wait();
        Flush();
    }

    // One more write, and its flush with all that came before.
    private void Flush()
    {
        _queues[0].Begin(_spec.Job with
        {
            Pattern = BenchPattern.Sequential,
            ReadPercent = 0,
            FlushesEach = true,
            Depth = 1,
            RequestsMax = 1,
        });
        _queues[0].Wait();
    }

    private void Measure(JsonStatus figures)
    {
        bool isOnce = _spec.Job.Pattern == BenchPattern.Once;
        if (!isOnce) WarmUp();
        FirstNumbers before = new();
        _volume.Volume.Report(before);
        foreach (BenchQueue queue in _queues)
            if (isOnce) queue.Begin(_spec.Job with { RequestsMax = _spec.Job.Blocks }, measures: true);
            else queue.Measure();
        Environment.ProcessCpuUsage cpu = Environment.CpuUsage;
        long startedAt = Stopwatch.GetTimestamp();
        TimeSpan time = TimeSpan.FromSeconds(_spec.Seconds);
        if (!isOnce) Thread.Sleep(time);
        else foreach (BenchQueue queue in _queues) queue.Wait(time);
        Environment.ProcessCpuUsage cpuEnd = Environment.CpuUsage;
        TimeSpan elapsed = Stopwatch.GetElapsedTime(startedAt);
        foreach (BenchQueue queue in _queues) queue.End();
        foreach (BenchQueue queue in _queues) queue.Wait();
        LatencyHistogram all = new();
        foreach (BenchQueue queue in _queues) all.Add(queue.Latencies);
        Report(figures, all, elapsed, cpuEnd.UserTime - cpu.UserTime, cpuEnd.PrivilegedTime - cpu.PrivilegedTime);
        // What was written is in the log then, as the volume's figures since its start say.
        if (_spec.Job.ReadPercent < 100) Flush();
        FirstNumbers after = new();
        _volume.Volume.Report(after);
        foreach ((string name, long value) in after.Values)
        {
            figures.Number("volume_" + name, value);
            figures.Number("delta_" + name, value - before.Values.GetValueOrDefault(name));
        }
    }

    private void WarmUp()
    {
        foreach (BenchQueue queue in _queues) queue.Begin(_spec.Job);
        Thread.Sleep(TimeSpan.FromSeconds(_spec.WarmUpSeconds));
    }

    // Only what ended within the time counts: a deep queue of large requests would add to it what it still held.
    private void Report(
        JsonStatus figures, LatencyHistogram latencies, TimeSpan elapsed, TimeSpan user, TimeSpan system)
    {
        long count = Math.Max(latencies.Count, 1);
        figures.Number("requests", latencies.Count);
        figures.Number("errors", _queues.Sum(static queue => queue.Errors));
        figures.Number("iops", (long)(count / elapsed.TotalSeconds));
        figures.Number("bytes_per_second", (long)(count * _spec.Job.BlockBytes / elapsed.TotalSeconds));
        figures.Number("p50_ns", latencies.Percentile(0.5));
        figures.Number("p99_ns", latencies.Percentile(0.99));
        figures.Number("p999_ns", latencies.Percentile(0.999));
        figures.Number("user_ns_per_request", (long)(user.TotalNanoseconds / count));
        figures.Number("system_ns_per_request", (long)(system.TotalNanoseconds / count));
        figures.Number("turns", _threads.Sum(static thread => thread.Turns));
        figures.Number("allocated_bytes", _threads.Sum(static thread => thread.AllocatedBytes));
    }

    private void Stop()
    {
        QueueThread.StopAll(_threads);
        int result = QueueThread.JoinAll(_threads);
        if (result < 0) throw new UserErrorException($"not everything is durable: {Native.Errno.Text(result)}");
    }

    private sealed class FirstNumbers : IStatusWriter
    {
        public Dictionary<string, long> Values { get; } = [];

        public void Number(string name, long value) => Values.TryAdd(name, value);

        public void Text(string name, string value)
        {
        }
    }
}

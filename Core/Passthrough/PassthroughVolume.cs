using System;
using System.Collections.Generic;
using System.Globalization;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Passthrough;

/// <summary>
/// The trivial engine: every request goes to the backing device as it is. The baseline of every comparison, and the
/// shape of an engine with nothing in it.
/// </summary>
/// <remarks>
/// Errors are reported to the client at once, without another try. After a failed flush nothing tells what of the
/// earlier writes is durable, so no later flush succeeds (R6), until somebody who has been told says so
/// (<see cref="Resume"/>): the state is <c>degraded</c> meanwhile.
/// </remarks>
public sealed class PassthroughVolume : IVolume, IVolumeExport
{
    // Of a flush: the negative errno.
    private sealed record Failure(int Error, DateTimeOffset Since)
    {
        public string SinceText => Since.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);
    }

    private const int QueuesMax = 64;

    // As the state of that name has in the engine with a cache.
    private const int DegradedNumber = 5;

    private volatile Failure? _failure;
    private int _resumes;

    /// <summary>Serves <paramref name="backing"/>, which stays the caller's to dispose, after this volume.</summary>
    public PassthroughVolume(Device backing, string name = "", bool readOnly = false)
    {
        if (!readOnly && !backing.CanFlush)
            throw new UserErrorException($"{backing.Name}: cannot flush its cache; nothing on it could be promised");
        Backing = backing;
        Name = name;
        ReadOnly = readOnly;
        FlushLock = new FlushLock(Queues.WakeAll);
        Blocks = new PartialBlocks(backing);
    }

    /// <summary>What is served.</summary>
    public Device Backing { get; }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    ushort IVolumeExport.Device => 0;

    /// <inheritdoc/>
    public string Engine => "passthrough";

    /// <summary>One, which is the volume.</summary>
    public IReadOnlyList<IVolumeExport> Exports => [this];

    /// <inheritdoc/>
    public long SizeBytes => Backing.ClientBytes;

    /// <inheritdoc/>
    public bool ReadOnly { get; }

    /// <inheritdoc/>
    public bool CanDiscard => !ReadOnly;

    /// <summary>Not known: a device without zeroing of its own is written with zeroes.</summary>
    public bool CanFastZero => false;

    /// <summary>0, or the negative errno of the first flush that failed.</summary>
    internal int FlushError => _failure?.Error ?? 0;

    /// <summary>Who is woken.</summary>
    internal QueueSet Queues { get; } = new(QueuesMax);

    /// <summary>One flush of the device at a time, all queues together.</summary>
    internal FlushLock FlushLock { get; }

    /// <summary>What all queues have done.</summary>
    internal CounterTotals<PassthroughCounters> Counters { get; } = new(QueuesMax);

    /// <summary>The backing device, in sectors of 512 bytes.</summary>
    internal PartialBlocks Blocks { get; }

    /// <inheritdoc/>
    public string? Hang => Silence.Of("backing device", Backing);

    /// <inheritdoc/>
    public IVolumeQueue OpenQueue(int index, IoContext io) => new PassthroughQueue(this, index, io);

    /// <inheritdoc/>
    public void Report(IStatusWriter status)
    {
        status.Text("state", FlushError < 0 ? "degraded" : "healthy");
        status.Number("state_number", FlushError < 0 ? DegradedNumber : 0);
        if (FlushLoss is { } loss) status.Text("state_reason", $"{loss}, and flushes fail until 'weir message resume'");
        if (Hang is { } hang) status.Text("not_answering", hang);
        status.Text("backing", Backing.Name);
        status.Gauge("size_bytes", SizeBytes);
        status.Counter("reads", Counters[RequestCounters.RequestsOf(RequestKind.Read)]);
        status.Counter("read_bytes", Counters[RequestCounters.BytesOf(RequestKind.Read)]);
        status.Counter("writes", Counters[RequestCounters.RequestsOf(RequestKind.Write)]);
        status.Counter("write_bytes", Counters[RequestCounters.BytesOf(RequestKind.Write)]);
        status.Counter("flushes", Counters[RequestCounters.RequestsOf(RequestKind.Flush)]);
        status.Counter("discards", Counters[RequestCounters.RequestsOf(RequestKind.Discard)]);
        status.Counter("write_zeroes", Counters[RequestCounters.RequestsOf(RequestKind.WriteZeroes)]);
        status.Counter("errors", Counters[PassthroughCounters.Errors]);
    }

    /// <summary>The backing device stays open: the opener closes it.</summary>
    public void Dispose()
    {
    }

    /// <inheritdoc/>
    public string? FlushLoss => _failure is { } failure
        ? $"backing device {Backing.Name}: a flush failed at {failure.SinceText}: {Errno.Text(failure.Error)}; what "
            + "was written since the last flush that succeeded may be lost"
        : null;

    /// <summary>
    /// Whoever has to know what may be lost has been told: flushes that come from now on are the device's to answer.
    /// Those that came before still fail. Any thread.
    /// </summary>
    public void Resume()
    {
        if (FlushError == 0) return;
        Interlocked.Increment(ref _resumes);
        _failure = null;
    }

    /// <summary>How often flushes were resumed; noted before one begins, for <see cref="ResultOfFlush"/>.</summary>
    internal int Resumes => Volatile.Read(ref _resumes);

    /// <summary>What to say of a flush that the device has answered.</summary>
    internal int ResultOfFlush(int resumesBefore, int result)
    {
        int error = FlushError;
        if (error == 0 && Resumes != resumesBefore) error = -Errno.EIO;
        return result < 0 ? result : error;
    }

    /// <summary>Remembers the first failure.</summary>
    internal void FailFlushes(int error)
    {
        if (FlushError == 0) Interlocked.CompareExchange(ref _failure, new Failure(error, DateTimeOffset.UtcNow), null);
    }
}

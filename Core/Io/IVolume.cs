using System;
using System.Collections.Generic;

namespace Weir.Core.Io;

/// <summary>A served block device: one engine instance over its devices, shared by all queue threads.</summary>
public interface IVolume : IDisposable
{
    /// <summary>Engine name on the command line.</summary>
    string Engine { get; }

    /// <summary>
    /// What clients see of it now, the default first; devices may come and go. Control path, any thread.
    /// </summary>
    IReadOnlyList<IVolumeExport> Exports { get; }

    /// <summary>It writes nothing in this life, to no device.</summary>
    bool ReadOnly { get; }

    /// <summary>A device below hangs: which, and for how long, in words; else null. Any thread.</summary>
    string? Hang => null;

    /// <summary>
    /// Flushes of a device without a cache fail since one has failed: why, since when and what may be lost, for people;
    /// null: they do not. Any thread.
    /// </summary>
    string? FlushLoss => null;

    /// <summary>Lets such flushes count again: whoever has to know has been told. Any thread.</summary>
    void Resume()
    {
    }

    /// <summary>Opens queue number <paramref name="index"/>; called on the queue's own thread, once each.</summary>
    IVolumeQueue OpenQueue(int index, IoContext io);

    /// <summary>Adds the volume's figures, any time, from any thread.</summary>
    void Report(IStatusWriter status);
}

/// <summary>One extent of <see cref="IVolumeQueue.BlockStatus"/>.</summary>
public struct Extent
{
    /// <summary>Bytes.</summary>
    public long LengthBytes;
    /// <summary>
    /// Of allocation, bit 0: not allocated (hole), bit 1: reads as zeroes, as NBD_STATE_HOLE and NBD_STATE_ZERO.
    /// </summary>
    public uint Flags;
}

/// <summary>
/// One queue thread's way to a volume. Everything here is called on that thread only. Nothing blocks, nothing
/// allocates, and no completion is reported from inside <see cref="Submit"/>.
/// </summary>
public unsafe interface IVolumeQueue
{
    /// <summary>
    /// Takes a valid request. It may already be complete when this returns; collect it like any other.
    /// </summary>
    void Submit(Request* request);

    /// <summary>
    /// A client has asked for this, which comes as pieces marked <see cref="RequestFlags.Counted"/>, or not at all: it
    /// goes into the figures.
    /// </summary>
    void CountAsked(RequestKind kind, RequestFlags flags, long lengthBytes)
    {
    }

    /// <summary>The next completed request in any order, or null.</summary>
    Request* TakeCompleted();

    /// <summary>Background work, timers, parked requests: once per turn of the thread's loop.</summary>
    void Poll(long nowUs);

    /// <summary>When <see cref="Poll"/> wants to be called at the latest, on the context's clock.</summary>
    long DeadlineUs { get; }

    /// <summary>What the queue does besides; null: nothing.</summary>
    IVolumeBackground? Background => null;

    /// <summary>
    /// What <paramref name="context"/> asks of a device (as <see cref="Request.Device"/>): its extents from
    /// <paramref name="offsetBytes"/> on, at most <paramref name="extents"/>.Length; may stop early but returns at
    /// least one. Neighbouring extents differ in flags.
    /// </summary>
    int BlockStatus(int device, StatusContext context, long offsetBytes, long lengthBytes, Span<Extent> extents);

    /// <summary>
    /// The stop has been asked for, and the frontend waits for what is under way: nothing shall wait long any more.
    /// <paramref name="mayRefuse"/>: what waits for room may be refused, its client can be told.
    /// </summary>
    void Hurry(bool mayRefuse)
    {
    }

    /// <summary>Starts the orderly stop (R15): no request is submitted after this.</summary>
    void BeginStop();

    /// <summary>How far the stop has come; what could not be made durable makes it fail.</summary>
    StopStatus StopStatus { get; }
}

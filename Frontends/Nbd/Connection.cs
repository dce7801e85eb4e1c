using System;
using System.Runtime.InteropServices;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Native;

namespace Weir.Frontends.Nbd;

/// <summary>
/// One client. A state machine over its queue's ring: at most one receive and one send are under way, and everything
/// between is plain code on the queue's thread. All memory is its own and allocated once, so that a slow or dead
/// client stalls nobody; the object serves another client after this one.
/// </summary>
/// <remarks>
/// The files follow the data: Connection.Receive (bytes in), .Requests (parse, validate, hand to the engine),
/// .Memory (what it may take), .Edges (changes of parts of sectors), .Answers (engine results to replies), .Send
/// (replies out). This one holds the life: greeting, handshake, end.
/// </remarks>
internal sealed unsafe partial class Connection : IDisposable
{
    private enum Phase
    {
        /// <summary>No client.</summary>
        Free,
        /// <summary>Options are negotiated.</summary>
        Handshaking,
        /// <summary>Requests are taken.</summary>
        Serving,
        /// <summary>No more requests are taken; those in progress are answered.</summary>
        Finishing,
        /// <summary>The socket is shut down; what is under way comes home.</summary>
        Closing,
    }

    private readonly NbdQueue _queue;
    private readonly Handshake _handshake;
    /// <summary>All options together may take this many times what one may: nobody negotiates for ever.</summary>
    private const int HandshakeTimes = 4;

    // Thirty-two requests of 256 KiB: more than clients keep in flight. Addresses; memory comes as it is used
    // (Connection.Memory).
    private readonly Arena _arena = new(8 << 20);
    private readonly Slots _slots = new();
    private readonly int _handshakePages;
    private readonly IoOp* _receive;
    private readonly IoOp* _send;
    private int _fd = -1;
    private Phase _phase;
    private Export? _export;
    private IVolumeQueue? _volume;
    private ExportLimits _limits;
    private int _inEngine;
    private bool _handshakeHeld;
    private long _silentSinceUs = long.MaxValue;
    private long _handshakeEndUs;

    /// <summary>Allocates what a client needs; the operations are this connection's for good.</summary>
    public Connection(NbdQueue queue, int index, IoOp* receive, IoOp* send)
    {
        _queue = queue;
        _receive = receive;
        _send = send;
        Index = index;
        _handshake = new Handshake();
        _handshakePages = Arena.PagesAround(0, Handshake.OutputBytes(queue.Exports));
        _arena.Slab.UseSmallPages();
        _vectors = (iovec*)NativeMemory.AllocZeroed(MaxVectors, (nuint)sizeof(iovec));
        try
        {
            _streamSlab = new Slab(StreamBytes);
        }
        catch
        {
            Dispose();
            throw;
        }
        _stream = _streamSlab.Start;
    }

    /// <summary>Position in the queue's table; in every operation and request of this connection.</summary>
    public int Index { get; }

    /// <summary>The data memory, for registration with the ring.</summary>
    public Slab Slab => _arena.Slab;

    /// <summary>On the queue's list of connections to look after in this turn.</summary>
    public bool IsTouched { get; set; }

    /// <summary>Nobody is served.</summary>
    public bool IsFree => _phase == Phase.Free;

    /// <summary>
    /// When a client that has not chosen an export came or last said something; <see cref="long.MaxValue"/>: there is
    /// none. Written by the connection's thread; the first queue's reads it too, to see who has been silent longest.
    /// </summary>
    public long SilentSinceUs
    {
        get => Volatile.Read(ref _silentSinceUs);
        private set => Volatile.Write(ref _silentSinceUs, value);
    }

    /// <summary>When <see cref="Expire"/> is due; <see cref="long.MaxValue"/> for never.</summary>
    public long DeadlineUs { get; private set; } = long.MaxValue;

    /// <summary>Something stopped the parser, and what it waits for has come.</summary>
    public bool CanGoOn => _stalled && _freed && _phase != Phase.Closing;

    /// <summary>Serves the client at <paramref name="fd"/>, which it owns from here on.</summary>
    public void Open(int fd, long nowUs)
    {
        Invariant.Check(IsFree);
        _fd = fd;
        _phase = Phase.Handshaking;
        _handshake.Reset(_queue.Exports, _queue);
        SilentSinceUs = nowUs;
        DeadlineUs = nowUs + _queue.IdleUs;
        _handshakeEndUs = nowUs + (HandshakeTimes * _queue.IdleUs);
        int page = AllocatePages(_handshakePages);
        Invariant.Check(page == 0);
        _handshakeHeld = true;
        SendHandshake(Handshake.Greet(HandshakeOutput));
    }

    /// <summary>Parses what came, then receives more.</summary>
    public void Step(long nowUs)
    {
        if (_phase == Phase.Handshaking) StepHandshake(nowUs);
        if (_phase is Phase.Serving or Phase.Finishing) Parse();
        if (_endOfStream && _phase is (Phase.Handshaking or Phase.Serving)) EndOfStream(nowUs);
        Receive();
    }

    /// <summary>Sends what is ready; ends what is over.</summary>
    public void EndTurn(long nowUs)
    {
        NoteUse(nowUs);
        if (_phase is Phase.Serving or Phase.Finishing) SendReady();
        if (_phase == Phase.Finishing && IsAnswered) Abort();
        if (_phase == Phase.Closing && !_receiving && !_sending && _inEngine == 0) Close();
    }

    /// <summary>
    /// Takes no more requests. What was begun is answered, then the connection closes; at the latest when the client
    /// has not taken its replies by <paramref name="untilUs"/>.
    /// </summary>
    public void Finish(long untilUs)
    {
        if (_phase == Phase.Handshaking) Abort();
        if (_phase is not (Phase.Serving or Phase.Finishing)) return;
        _phase = Phase.Finishing;
        DeadlineUs = untilUs;
        _queue.Touch(this);
    }

    /// <summary>Finishes the connection when its export is served no longer.</summary>
    public void CloseIfGone(long untilUs)
    {
        // Once: being told again gives the client no more time for its replies.
        if (_phase == Phase.Serving && _export is { IsGone: true }) Finish(untilUs);
    }

    /// <summary>Ends it at once: the client has broken the protocol, is gone, or has had its time.</summary>
    public void Abort()
    {
        if (_phase is Phase.Free or Phase.Closing) return;
        _phase = Phase.Closing;
        SilentSinceUs = DeadlineUs = long.MaxValue;
        // Ends the receive and the send under way; a socket already reset says ENOTCONN, which is as good.
        _ = Sockets.Shutdown(_fd);
        _queue.Touch(this);
    }

    /// <summary>Ends it at once: the client has had its time, or others need its place.</summary>
    public void AbortLate()
    {
        if (_phase is Phase.Free or Phase.Closing) return;
        _queue.Counters.ExpiredConnections++;
        Abort();
    }

    /// <summary>The deadline has passed. A slow engine is not the client's fault and gets more time.</summary>
    public void Expire(long nowUs)
    {
        if (_phase == Phase.Finishing && _inEngine > 0) DeadlineUs = nowUs + NbdServer.StopPatienceUs;
        else AbortLate();
    }

    /// <summary>Only when the ring is gone: its last operations used this memory.</summary>
    public void Dispose()
    {
        _arena.Dispose();
        _slots.Dispose();
        _streamSlab?.Dispose();
        NativeMemory.Free(_vectors);
    }

    private bool IsAnswered => _inEngine == 0 && !_sending && _readyHead == null && !IsIssuing;

    private Span<byte> HandshakeOutput => new(_arena.At(0), _handshakePages * Arena.PageBytes);

    /// <summary>One option at a time: the next is taken when the answer to the last has gone.</summary>
    private void StepHandshake(long nowUs)
    {
        while (_phase == Phase.Handshaking && !_sending)
        {
            HandshakeStep step = _handshake.Step(Received, HandshakeOutput, out int consumed, out int written);
            _start += consumed;
            if (written > 0) SendHandshake(written);
            if (step == HandshakeStep.NeedInput) return;
            SilentSinceUs = nowUs;
            DeadlineUs = Math.Min(nowUs + _queue.IdleUs, _handshakeEndUs);
            if (step == HandshakeStep.Transmission) Serve();
            if (_handshake.IsTurnedAway) _queue.TurnedAway();
            if (_handshake.IsBroken) _queue.Counters.BrokenConnections++;
            if (step == HandshakeStep.Close) _phase = Phase.Finishing;
        }
    }

    private void Serve()
    {
        if (!_handshake.Export!.TryEnter())
        {
            Abort();
            return;
        }
        _phase = Phase.Serving;
        _queue.Counters.Connections++;
        SilentSinceUs = DeadlineUs = long.MaxValue;
        _export = _handshake.Export;
        _volume = _queue.Volume(_export);
        _limits = _export.Limits(_handshake.Structured, _handshake.BlockStatus);
    }

    /// <summary>Nothing is under way any more: every slot and page is free, whatever it was used for.</summary>
    private void Close()
    {
        _ = Libc.Close(_fd);
        _fd = -1;
        _phase = Phase.Free;
        _volume = null;
        if (_handshake.IsAdmitted) _queue.Dismiss();
        _handshake.IsAdmitted = false;
        _export?.Leave();
        _export = null;
        _slots.Reset();
        _arena.Reset();
        ReturnAll();
        ResetReceive();
        ResetRequests();
        ResetSend();
        _queue.Closed();
    }
}

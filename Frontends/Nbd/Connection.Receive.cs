using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Native;

namespace Weir.Frontends.Nbd;

// Bytes in: one receive at a time, into the stream buffer, or straight into the pages of a long write.
internal sealed unsafe partial class Connection
{
    /// <summary>One receive brings up to 64 requests of 4 KiB.</summary>
    private const int StreamBytes = 256 << 10;

    /// <summary>From here on a write's rest is received into its pages instead of copied there.</summary>
    private const int DirectBytes = 32 << 10;

    private readonly Slab _streamSlab;
    private readonly byte* _stream;
    private int _start;
    private int _end;
    private bool _receiving;
    private bool _endOfStream;
    private Part* _receivePart;

    /// <summary>An operation of this connection has completed.</summary>
    public void ReceiveDone(IoOp* op)
    {
        Invariant.Check(_receiving);
        _receiving = false;
        _queue.Touch(this);
        if (_phase is Phase.Closing or Phase.Finishing) return;
        int result = op->Result;
        if (result is -Errno.EINTR or -Errno.EAGAIN) return;
        if (result == 0) _endOfStream = true;
        else if (result < 0) Abort();
        else if (_receivePart != null) _writeFilled += result;
        else _end += result;
    }

    private ReadOnlySpan<byte> Received => new(_stream + _start, _end - _start);

    private int Available => _end - _start;

    /// <summary>
    /// The client sends no more. All it has sent is served first; then, one in the middle of something has no answer
    /// to wait for.
    /// </summary>
    private void EndOfStream(long nowUs)
    {
        bool handshaking = _phase == Phase.Handshaking;
        if (handshaking ? _sending : _stalled) return;
        if (handshaking || _writeCommand != null || _drainBytes > 0) Abort();
        else Finish(nowUs + _queue.IdleUs);
    }

    /// <summary>Receives more, unless the parser waits for slots or memory: then the socket's buffer fills.</summary>
    private void Receive()
    {
        if (_receiving || _endOfStream || _stalled || _phase is not (Phase.Handshaking or Phase.Serving)) return;
        Compact();
        long rest = _write == null ? 0 : _writeBytes - _writeFilled;
        _receivePart = Available == 0 && rest >= DirectBytes ? _write : null;
        byte* target = _receivePart != null ? _write->Payload + _writeFilled : _stream + _end;
        long room = _receivePart != null ? rest : StreamBytes - _end;
        if (room == 0) return;
        _receive->Buffer = target;
        _receive->LengthBytes = room;
        _receiving = true;
        _queue.Io.Receive(_receive, _fd);
    }

    /// <summary>What is left is part of a header, or of an option.</summary>
    private void Compact()
    {
        int available = Available;
        if (_start > 0 && available > 0) Received.CopyTo(new Span<byte>(_stream, available));
        (_start, _end) = (0, available);
    }

    private void ResetReceive()
    {
        _start = _end = 0;
        _receivePart = null;
        _endOfStream = false;
    }
}

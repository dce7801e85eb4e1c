using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Native;

namespace Weir.Frontends.Nbd;

// Replies out: one send at a time, of all that is ready; meanwhile the next batch gathers.
internal sealed unsafe partial class Connection
{
    /// <summary>A full pool of parts, header and data each, fits; half the kernel's UIO_MAXIOV.</summary>
    private const int MaxVectors = 512;

    private readonly iovec* _vectors;
    private int _vectorIndex;
    private int _vectorCount;
    private bool _sending;
    private Part* _readyHead;
    private Part* _readyTail;
    /// <summary>What the send under way carries; null for the handshake.</summary>
    private Part* _sent;

    /// <summary>The send has completed, perhaps in part.</summary>
    public void SendDone(IoOp* op)
    {
        Invariant.Check(_sending);
        _sending = false;
        _queue.Touch(this);
        if (_phase == Phase.Closing) return;
        int result = op->Result;
        if (result < 0 && result != -Errno.EINTR && result != -Errno.EAGAIN)
        {
            Abort();
            return;
        }
        Advance(Math.Max(result, 0));
        if (_vectorIndex < _vectorCount) Send();
        else FreeSent();
    }

    private void SendHandshake(int length)
    {
        _vectors[0].iov_base = _arena.At(0);
        _vectors[0].iov_len = (nuint)length;
        (_vectorIndex, _vectorCount) = (0, 1);
        Send();
    }

    /// <summary>Queues a reply whose header is built.</summary>
    private void Ready(Part* part)
    {
        part->Command = null;
        part->Next = null;
        if (_readyTail == null) _readyHead = part;
        else _readyTail->Next = part;
        _readyTail = part;
    }

    /// <summary>Sends all that is ready, as far as the vectors reach.</summary>
    private void SendReady()
    {
        if (_sending || _readyHead == null) return;
        (_vectorIndex, _vectorCount) = (0, 0);
        _sent = _readyHead;
        Part* last = null;
        for (Part* part = _readyHead; part != null && _vectorCount + 2 <= MaxVectors; part = part->Next)
        {
            Vector(part->Header, part->HeaderBytes);
            Vector(part->Payload, part->PayloadBytes);
            last = part;
        }
        _readyHead = last->Next;
        if (_readyHead == null) _readyTail = null;
        last->Next = null;
        Send();
    }

    private void Vector(byte* bytes, int length)
    {
        if (length == 0) return;
        _vectors[_vectorCount].iov_base = bytes;
        _vectors[_vectorCount].iov_len = (nuint)length;
        _vectorCount++;
    }

    private void Send()
    {
        _send->Buffer = _vectors + _vectorIndex;
        _sending = true;
        _queue.Counters.Sends++;
        _queue.Io.Send(_send, _fd, _vectorCount - _vectorIndex);
    }

    private void Advance(int bytes)
    {
        while (bytes > 0)
        {
            Invariant.Check(_vectorIndex < _vectorCount);
            iovec* vector = _vectors + _vectorIndex;
            int step = (int)Math.Min((nuint)bytes, vector->iov_len);
            vector->iov_base = (byte*)vector->iov_base + step;
            vector->iov_len -= (nuint)step;
            bytes -= step;
            if (vector->iov_len == 0) _vectorIndex++;
        }
    }

    /// <summary>All is with the kernel: parts and pages are free. The handshake's pages too, once it is over.</summary>
    private void FreeSent()
    {
        if (_sent == null && _phase != Phase.Handshaking && _handshakeHeld)
        {
            _arena.Free(0, _handshakePages);
            ReturnUnused();
            _handshakeHeld = false;
            _freed = true;
        }
        while (_sent != null)
        {
            Part* part = _sent;
            _sent = part->Next;
            FreePages(part);
            FreePart(part);
        }
    }

    private void ResetSend()
    {
        _vectorIndex = _vectorCount = 0;
        _readyHead = _readyTail = _sent = null;
        _handshakeHeld = false;
    }
}

using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Recovery;

/// <summary>
/// Headers of 4 KiB, one after the other, read ahead: a ring of them is under way or read already, and refilled as they
/// are taken. Whoever waits for one has at least <see cref="Depth"/> others asked for, until the last is: deep enough
/// to keep an NVMe device busy while headers are checked and replayed.
/// <code>
///   taken | current | read or under way, in any order | free, at most Depth, then refilled
/// </code>
/// </summary>
internal sealed unsafe class HeaderStream : IIoHandler, IDisposable
{
    /// <summary>Reads asked for at a time.</summary>
    public const int Depth = 64;

    private struct HeaderOp
    {
        // In the ring of headers.
        public int Place;
    }

    private readonly IoContext _io;
    private readonly ushort _handler;
    private readonly DeviceQueue _queue;
    private readonly Device _device;
    private readonly int _count;
    private readonly Func<int, long> _offsetOf;
    private readonly int _ring;
    private readonly AlignedMemory _memory;
    private readonly bool[] _ready;
    private int _asked;
    private int _taken;
    private int _underWay;
    private int _error;

    /// <summary>
    /// The <paramref name="count"/> headers at the offsets that <paramref name="offsetOf"/> has for 0, 1, 2 ...; on the
    /// thread that owns <paramref name="io"/>.
    /// </summary>
    public HeaderStream(IoContext io, DeviceQueue queue, Device device, int count, Func<int, long> offsetOf)
    {
        (_io, _queue, _device, _count, _offsetOf) = (io, queue, device, count, offsetOf);
        // No larger than all of them, and the one that is looked at: a small cache starts often.
        _ring = Math.Min(4 * Depth, count + 1);
        _memory = new AlignedMemory(_ring * Geometry.BlockBytes);
        _ready = new bool[_ring];
        _handler = io.AddHandler(this);
    }

    /// <summary>The next header; it stays until the call after this one.</summary>
    /// <exception cref="UserErrorException">The device does not give it.</exception>
    public byte* Next()
    {
        Invariant.Check(_taken < _count);
        if (_asked < _count && _asked - _taken <= Math.Max(0, _ring - Depth)) Ask();
        int place = _taken % _ring;
        while (!_ready[place]) Turn(wait: true);
        if (_error < 0)
            throw new UserErrorException($"{_device.Name}: reading log headers failed: {Errno.Text(_error)}");
        _ready[place] = false;
        _taken++;
        return BlockAt(place);
    }

    /// <inheritdoc/>
    public void Completed(IoOp* op)
    {
        if (op->Result < 0) _error = op->Result;
        _ready[op->Own<HeaderOp>().Place] = true;
        _io.Release(op);
        _underWay--;
    }

    /// <summary>Waits for what is under way: it writes to memory that goes.</summary>
    public void Dispose()
    {
        try
        {
            while (_underWay > 0) Turn(wait: true);
            _io.RemoveHandler(_handler);
        }
        finally
        {
            _memory.Dispose();
        }
    }

    // Submitted at once: the device works while the caller looks at what is there.
    private void Ask()
    {
        int last = Math.Min(_count, _taken + _ring - 1);
        for (; _asked < last; _asked++, _underWay++)
        {
            IoOp* op = _io.Acquire(_handler, IoKind.Read, urgent: true);
            Invariant.Check(op != null);
            int place = op->Own<HeaderOp>().Place = _asked % _ring;
            op->OffsetBytes = _offsetOf(_asked);
            op->LengthBytes = Geometry.BlockBytes;
            op->Buffer = BlockAt(place);
            _queue.Submit(op);
        }
        Turn(wait: false);
    }

    private void Turn(bool wait)
    {
        _io.Pump(wait && !_io.HasCompletions, long.MaxValue);
        _io.RunCompletions();
    }

    private byte* BlockAt(int place) => _memory.Pointer + ((long)place << Geometry.BlockShift);
}

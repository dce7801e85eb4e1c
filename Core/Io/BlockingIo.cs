using System.Collections.Generic;
using Weir.Core.Base;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Io;

/// <summary>
/// Control-path I/O that is waited for: start some operations, then wait for all. Recovery, format and the offline
/// tools use it; nothing that serves a client does.
/// </summary>
public sealed unsafe class BlockingIo : IIoHandler
{
    private readonly IoContext _io;
    private readonly ushort _handler;
    private readonly Dictionary<Device, DeviceQueue> _queues = [];
    private int _outstanding;
    private int _error;

    /// <summary>On the thread that owns <paramref name="io"/>.</summary>
    public BlockingIo(IoContext io)
    {
        _io = io;
        _handler = io.AddHandler(this);
    }

    /// <summary>Told while it waits; null: nobody.</summary>
    public IoWatch? Watch { get; init; }

    /// <summary>What it works with.</summary>
    public IoContext Context => _io;

    /// <summary>Its queue to <paramref name="device"/>, opened once.</summary>
    public DeviceQueue QueueOf(Device device)
    {
        if (!_queues.TryGetValue(device, out DeviceQueue? queue)) _queues[device] = queue = device.OpenQueue(_io);
        return queue;
    }

    /// <summary>Starts a read or a write.</summary>
    public void Start(DeviceQueue device, IoKind kind, long offsetBytes, void* buffer, long lengthBytes)
    {
        IoOp* op = _io.Acquire(_handler, kind, urgent: true);
        Invariant.Check(op != null);
        op->OffsetBytes = offsetBytes;
        op->Buffer = buffer;
        op->LengthBytes = lengthBytes;
        _outstanding++;
        device.Submit(op);
    }

    /// <summary>Starts a flush.</summary>
    public void StartFlush(DeviceQueue device) => Start(device, IoKind.Flush, 0, null, 0);

    /// <summary>Waits for everything started: 0, or the errno (negative) of one that failed.</summary>
    public int Wait()
    {
        while (_outstanding > 0)
        {
            Turn();
            Watch?.Repeat();
        }
        int error = _error;
        _error = 0;
        return error;
    }

    /// <summary>One turn of the thread's loop.</summary>
    public void Turn()
    {
        _io.Pump(!_io.HasCompletions, Watch == null ? long.MaxValue : _io.NowUs + IoWatch.TurnUs);
        _io.RunCompletions();
    }

    /// <summary>
    /// Waits, and turns a failure into the user's error: <paramref name="what"/> on <paramref name="device"/>.
    /// </summary>
    public void WaitOrFail(string what, Device device)
    {
        int error = Wait();
        if (error < 0) throw new UserErrorException($"{device.Name}: {what} failed: {Errno.Text(error)}");
    }

    /// <inheritdoc/>
    public void Completed(IoOp* op)
    {
        if (op->Result < 0) _error = op->Result;
        _io.Release(op);
        _outstanding--;
    }
}

using System;
using Weir.Core.Devices;
using Weir.Core.Io;

namespace Weir.Frontends.Ublk;

/// <summary>
/// The hardware queues of one number, of every ublk device of the program, on the thread of that number.
/// </summary>
internal sealed unsafe class UblkQueue(UblkServer server) : IQueueFrontend
{
    // Thirty-two requests of the largest size, or thousands of the usual one: more than pay.
    private const int MemoryBytes = 32 << 20;

    private readonly UblkHardwareQueue?[] _hardwareQueues = new UblkHardwareQueue?[UblkServer.DevicesMax];
    private QueueThread? _thread;
    private Arena? _arena;
    private int _end;
    private int _first;
    private bool _memoryFreed;
    private bool _stopping;

    /// <inheritdoc/>
    public bool HasWork
    {
        get
        {
            for (int i = 0; i < _end; i++)
                if (_hardwareQueues[i] is { HasWork: true } served && (_memoryFreed || !served.IsStalled)) return true;
            return false;
        }
    }

    /// <inheritdoc/>
    public long DeadlineUs => long.MaxValue;

    /// <inheritdoc/>
    public bool MayRefuseAtStop => false; // a file system's dirty pages would be lost

    /// <inheritdoc/>
    public bool IsStopped => _stopping && Array.TrueForAll(_hardwareQueues, static served => served == null);

    /// <inheritdoc/>
    public void Open(QueueThread thread)
    {
        _thread = thread;
        _arena = new Arena(MemoryBytes);
        // Here from now on, even where memory cannot be locked.
        new Span<byte>(_arena.Slab.Start, MemoryBytes).Clear();
        _ = thread.Io.RegisterSlab(_arena.Slab.Start, _arena.Slab.SizeBytes);
    }

    /// <inheritdoc/>
    public void Receive(QueueMessage message)
    {
        if (message.Kind != QueueMessageKind.ExportAdded) return;
        UblkDevice device = server.DeviceAt(message.Value);
        UblkHardwareQueue served = new(
            device, _thread!.Index, message.Value, (RingContext)_thread.Io, _thread.Volume(device.Export.Volume),
            _arena!, _thread.Tap);
        _hardwareQueues[message.Value] = served;
        _end = Math.Max(_end, message.Value + 1);
        device.Counters[_thread.Index] = served.Counters;
        served.Begin();
    }

    /// <inheritdoc/>
    public void Step(long nowUs)
    {
        _memoryFreed = false;
        // Each first in its turn, so that none takes all the memory before another comes.
        if (++_first >= _end) _first = 0;
        for (int i = _first; i < _end; i++) _hardwareQueues[i]?.Step();
        for (int i = 0; i < _first; i++) _hardwareQueues[i]?.Step();
    }

    /// <inheritdoc/>
    public void Complete(Request* request)
    {
        _memoryFreed = true;
        _hardwareQueues[request->FrontendInt]!.Complete(request);
    }

    /// <summary>A hardware queue that is over ends by itself: its device has been stopped.</summary>
    public void EndTurn(long nowUs)
    {
        for (int i = 0; i < _end; i++)
        {
            if (_hardwareQueues[i] is not { IsOver: true } served) continue;
            _hardwareQueues[i] = null;
            served.Dispose();
            server.DeviceAt(i).QueueHasEnded();
        }
    }

    /// <inheritdoc/>
    public void BeginStop(long nowUs) => _stopping = true;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (UblkHardwareQueue? served in _hardwareQueues) served?.Dispose();
        _arena?.Dispose();
    }
}

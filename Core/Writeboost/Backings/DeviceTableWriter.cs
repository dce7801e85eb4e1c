using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Backings;

/// <summary>
/// Writes the device table so that one whole copy is on the device at any moment: one copy, flush, the other, flush,
/// the one that may be lost first. One update at a time; the owner looks at <see cref="IsBusy"/> once per turn.
/// </summary>
public sealed unsafe class DeviceTableWriter : IIoHandler, IDisposable
{
    private readonly DeviceQueue _cache;
    private readonly IoContext _io;
    private readonly byte _handler;
    private readonly AlignedMemory _buffer = new(DeviceTable.Bytes);
    private bool _copyBFirst;
    private int _step;

    /// <summary>A writer on the thread that owns <paramref name="io"/>.</summary>
    public DeviceTableWriter(DeviceQueue cache, IoContext io)
    {
        _cache = cache;
        _io = io;
        _handler = io.AddHandler(this);
    }

    /// <summary>An update is under way.</summary>
    public bool IsBusy => _step != 0;

    /// <summary>How the last update ended: 0, or a negative errno.</summary>
    public int Result { get; private set; }

    /// <summary>Starts to make <paramref name="table"/>, with the next generation, the durable one.</summary>
    public void Begin(DeviceTable table, bool copyBFirst = false)
    {
        Invariant.Check(!IsBusy);
        table.Seal();
        Buffer.MemoryCopy(table.Pointer, _buffer.Pointer, DeviceTable.Bytes, DeviceTable.Bytes);
        _copyBFirst = copyBFirst;
        Result = 0;
        Next();
    }

    /// <inheritdoc/>
    public void Completed(IoOp* op)
    {
        int result = op->Result;
        _io.Release(op);
        if (result < 0) (Result, _step) = (result, 0);
        else Next();
    }

    /// <inheritdoc/>
    public void Dispose() => _buffer.Dispose();

    private void Next()
    {
        _step = (_step + 1) % 5;
        if (_step == 0) return;
        bool isWrite = (_step & 1) == 1;
        IoOp* op = _io.Acquire(_handler, isWrite ? IoKind.Write : IoKind.Flush, urgent: true);
        Invariant.Check(op != null);
        op->OffsetBytes = DeviceTable.Offsets[(_step == 1) == _copyBFirst ? 1 : 0];
        op->LengthBytes = isWrite ? DeviceTable.Bytes : 0;
        op->Buffer = _buffer.Pointer;
        _cache.Submit(op);
    }
}

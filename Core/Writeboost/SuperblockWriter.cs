using System;
using System.Runtime.InteropServices;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost;

/// <summary>
/// Writes the superblock so that one whole copy is on the device at any moment: one copy, flush, the other, flush. The
/// first is the one that may be lost: after a crash, the copy that is torn or older. One update at a time; the owner
/// looks at <see cref="IsBusy"/> once per turn.
/// </summary>
public sealed unsafe class SuperblockWriter : IIoHandler, IDisposable
{
    private readonly Layout _layout;
    private readonly DeviceQueue _cache;
    private readonly IoContext _io;
    private readonly byte _handler;
    private readonly byte* _buffer;
    private int _step;
    private bool _copyBFirst;

    /// <summary>A writer on the thread that owns <paramref name="io"/>.</summary>
    public SuperblockWriter(Layout layout, DeviceQueue cache, IoContext io)
    {
        _layout = layout;
        _cache = cache;
        _io = io;
        _handler = io.AddHandler(this);
        _buffer = (byte*)NativeMemory.AlignedAlloc(Superblock.Bytes, Superblock.Bytes);
    }

    /// <summary>An update is under way.</summary>
    public bool IsBusy => _step != 0;

    /// <summary>How the last update ended: 0, or a negative errno.</summary>
    public int Result { get; private set; }

    /// <summary>Starts to make <paramref name="superblock"/>, with the next generation, the durable one.</summary>
    public void Begin(ref Superblock superblock, bool copyBFirst = false)
    {
        _copyBFirst = copyBFirst && !Mutant.Is(MutantId.R12WholeCopyFirst);
        Invariant.Check(!IsBusy);
        superblock.Generation++;
        _layout.WriteSuperblock(superblock, _buffer);
        Result = 0;
        Next();
    }

    /// <inheritdoc/>
    public void Completed(IoOp* op)
    {
        int result = op->Result;
        _io.Release(op);
        if (result < 0)
        {
            Result = result;
            _step = 0;
            return;
        }
        Next();
    }

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.AlignedFree(_buffer);

    private void Next()
    {
        _step = (_step + 1) % (1 + (2 * _layout.SuperblockCopies));
        if (_step == 0) return;
        bool isWrite = (_step & 1) == 1;
        IoOp* op = _io.Acquire(_handler, isWrite ? IoKind.Write : IoKind.Flush, urgent: true);
        Invariant.Check(op != null);
        op->OffsetBytes = _layout.SuperblockOffset((_step == 1) == _copyBFirst ? _layout.SuperblockCopies - 1 : 0);
        op->LengthBytes = isWrite ? Superblock.Bytes : 0;
        op->Buffer = _buffer;
        _cache.Submit(op);
    }
}

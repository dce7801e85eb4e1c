using System;
using Weir.Core.Base;
using Weir.Core.DmCache.Format;
using Weir.Core.Io;
using Weir.Core.Volumes;

namespace Weir.Core.DmCache.Commit;

/// <summary>
/// Reads and writes metadata blocks on one thread: tries a block again a few times, and flushes. Says how it ended
/// through <see cref="Result"/> when <see cref="IsBusy"/> is over.
/// </summary>
internal sealed unsafe class MetadataIo : IIoHandler, IDisposable
{
    /// <summary>Tries of a block, and writes under way at a time.</summary>
    private const int MaxAttempts = 3, MaxWrites = 64;

    private readonly IoContext _io;
    private readonly DeviceQueue _device;
    private readonly DeviceFlusher _flusher;
    private readonly ushort _handler;
    private readonly AlignedMemory _block = new(CacheMetadata.BlockBytes);
    private int _underWay;
    private int _next;
    private int _count;
    private CacheMetadata? _writes;
    private bool _flushes;

    /// <summary>On the thread that owns <paramref name="io"/>; flushes go by <paramref name="flushLock"/>.</summary>
    public MetadataIo(DeviceQueue device, FlushLock flushLock, IoContext io)
    {
        (_io, _device) = (io, device);
        _handler = io.AddHandler(this);
        _flusher = new DeviceFlusher(flushLock, io) { Failed = (_, error) => Fail(error) };
    }

    /// <summary>Hears of a flush that begins, under its lock.</summary>
    public Action? FlushBegins { get; init; }

    /// <summary>Hears of a flush that has failed, with its negative errno.</summary>
    public Action<int>? FlushFailed { get; init; }

    /// <summary>Something is under way.</summary>
    public bool IsBusy => _underWay > 0 || _flushes || _next < _count;

    /// <summary>How what was begun last has ended: 0, or a negative errno.</summary>
    public int Result { get; private set; }

    /// <summary>The block that was read.</summary>
    public ReadOnlySpan<byte> Block => new(_block.Pointer, CacheMetadata.BlockBytes);

    /// <summary>Begins to read a block.</summary>
    public void Read(long block)
    {
        Begin();
        bool isBegun = TrySubmit(IoKind.Read, block, _block.Pointer);
        Invariant.Check(isBegun);
    }

    /// <summary>Begins to write all blocks of a commit that is prepared, but the superblock.</summary>
    public void WriteBlocks(CacheMetadata metadata)
    {
        Begin();
        (_writes, _next, _count) = (metadata, 0, metadata.WriteCount);
        GoOn();
    }

    /// <summary>Begins to write block 0.</summary>
    public void WriteRoot(byte* superblock)
    {
        Begin();
        bool isBegun = TrySubmit(IoKind.Write, 0, superblock);
        Invariant.Check(isBegun);
    }

    /// <summary>Begins a flush; it may wait for others.</summary>
    public void Flush()
    {
        Begin();
        _flushes = true;
        Poll();
    }

    /// <summary>Once per turn: goes on when the flush lock is free, or operations are.</summary>
    public void Poll()
    {
        if (_next < _count) GoOn();
        if (!_flushes) return;
        if (_flusher.HasLock && !_flusher.IsUnderWay) EndFlush();
        else if (!_flusher.IsUnderWay && _flusher.TryTake()) BeginFlush();
    }

    /// <inheritdoc/>
    public void Completed(IoOp* op)
    {
        if (op->Result < 0 && ++op->Attempts < MaxAttempts)
        {
            _device.Submit(op);
            return;
        }
        if (op->Result < 0) Result = op->Result;
        _io.Release(op);
        _underWay--;
        if (Result < 0) _next = _count;
        else GoOn();
    }

    /// <inheritdoc/>
    public void Dispose() => _block.Dispose();

    private void Begin()
    {
        Invariant.Check(!IsBusy);
        Result = 0;
    }

    private void Fail(int error)
    {
        Result = error;
        FlushFailed?.Invoke(error);
    }

    private void BeginFlush()
    {
        FlushBegins?.Invoke();
        _flusher.Flush(0, _device);
    }

    private void EndFlush()
    {
        _flushes = false;
        _flusher.GiveBack();
    }

    private void GoOn()
    {
        while (_next < _count && _underWay < MaxWrites)
        {
            long block = _writes!.BlockToWrite(_next, out byte* bytes);
            if (!TrySubmit(IoKind.Write, block, bytes)) return;
            _next++;
        }
    }

    private bool TrySubmit(IoKind kind, long block, byte* bytes)
    {
        IoOp* op = _io.Acquire(_handler, kind, urgent: true);
        if (op == null) return false;
        op->OffsetBytes = block * CacheMetadata.BlockBytes;
        op->LengthBytes = CacheMetadata.BlockBytes;
        op->Buffer = bytes;
        _underWay++;
        _device.Submit(op);
        return true;
    }
}

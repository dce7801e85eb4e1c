using System;
using Weir.Core.Base;
using Weir.Native;
using Weir.Native.Uring;

namespace Weir.Core.Devices;

/*
 * Registered files and buffers: the kernel looks them up and pins them once, instead of for every operation. Both are
 * optional; what cannot be registered is passed as a plain descriptor or address.
 */
public sealed unsafe partial class RingContext
{
    // A cache and its 254 backing devices, some of them opened more than once on a thread.
    private const int FixedFilesMax = 1024;
    private const int FixedBuffersMax = 64;
    // The kernel's own limit for one registered buffer.
    private const long FixedBufferBytesMax = 1L << 30;
    private const long ZeroBytes = 1 << 20;

    private readonly bool _hasFixedFiles;
    private readonly bool _hasFixedBuffers;
    private readonly FileDeviceQueue?[] _files = new FileDeviceQueue?[FixedFilesMax];
    private readonly nint[] _bufferStart = new nint[FixedBuffersMax];
    private readonly long[] _bufferBytes = new long[FixedBuffersMax];
    private int _bufferCount;
    private Slab? _zeroes;
    private string? _warning;

    /// <summary>The first of the ring's buffers that are drivers' to fill.</summary>
    public const int DriverBuffersStart = FixedBuffersMax;

    /// <summary>As many as a ring can have (IORING_MAX_REG_BUFFERS), less our own.</summary>
    public const int DriverBuffersMax = (1 << 14) - FixedBuffersMax;

    /// <inheritdoc/>
    public override string? Warning => _warning;

    /// <inheritdoc/>
    public override bool RegisterSlab(byte* start, long sizeBytes)
    {
        for (long done = 0; done < sizeBytes; done += FixedBufferBytesMax)
            if (!RegisterBuffer(start + done, Math.Min(FixedBufferBytesMax, sizeBytes - done))) return false;
        return true;
    }

    /// <summary>The registered buffer that holds the whole range, or -1.</summary>
    internal int FindBuffer(byte* start, long sizeBytes)
    {
        for (int i = 0; i < _bufferCount; i++)
        {
            ulong offset = (ulong)(start - (byte*)_bufferStart[i]);
            if (offset < (ulong)_bufferBytes[i] && (ulong)sizeBytes <= (ulong)_bufferBytes[i] - offset) return i;
        }
        return -1;
    }

    /// <summary>A mebibyte of zeroes to write from, for devices that cannot zero ranges.</summary>
    internal byte* Zeroes => (_zeroes ??= new Slab(ZeroBytes)).Start;

    /// <summary>Bytes at <see cref="Zeroes"/>.</summary>
    internal static long ZeroesBytes => ZeroBytes;

    /// <summary>Gives a queue its number, and its file a place in the ring's table where possible.</summary>
    internal int AddFile(FileDeviceQueue queue, int fd, out FileRef file)
    {
        int index = Array.IndexOf(_files, null);
        Invariant.Check(index >= 0);
        _files[index] = queue;
        file = _hasFixedFiles && _ring.UpdateFile(index, fd) == 0 ? new FileRef(index, true) : new FileRef(fd, false);
        return index;
    }

    /// <summary>Takes a queue's number and its file's place back; nothing is under way.</summary>
    internal void RemoveFile(int index)
    {
        _files[index] = null;
        if (_hasFixedFiles) _ = _ring.UpdateFile(index, -1);
    }

    /// <summary>Keeps the first: they have one cause.</summary>
    private void Warn(string what) => _warning ??= $"the memory-lock limit of {MemoryLock.LimitBytes >> 10} KiB "
        + $"(ulimit -l) is too low for fast I/O: going on with {what}, a little slower";

    private bool RegisterBuffer(byte* start, long sizeBytes)
    {
        if (!_hasFixedBuffers || _bufferCount == FixedBuffersMax) return false;
        int result = _ring.UpdateBuffer(_bufferCount, start, sizeBytes);
        if (result == 0)
        {
            _bufferStart[_bufferCount] = (nint)start;
            _bufferBytes[_bufferCount++] = sizeBytes;
            return true;
        }
        if (result == -Errno.ENOMEM) Warn("unregistered buffers");
        else _warning ??= $"io_uring does not register our buffers: {Errno.Text(result)}; going on without";
        return false;
    }

    /// <summary>Drops the ring's hold on files at once: closing the ring alone would do so some time later.</summary>
    private void ReleaseFixed()
    {
        if (_hasFixedFiles) _ = _ring.Register(UringConst.IORING_UNREGISTER_FILES, null, 0);
        if (_hasFixedBuffers) _ = _ring.Register(UringConst.IORING_UNREGISTER_BUFFERS, null, 0);
    }
}

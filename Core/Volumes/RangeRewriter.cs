using System;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Core.Volumes;

/// <summary>
/// Reads what is dirty and writes it again in its place, after a flush of the cache device that failed. What the device
/// shows may otherwise be gone with the next power cut, though every flush from now on succeeds (B6). What it does not
/// give stays as it is, and nothing around that.
/// </summary>
/// <param name="io">On the thread of its context.</param>
/// <param name="device">The cache device.</param>
/// <param name="mostBytes">Bytes that are read at a time.</param>
internal sealed unsafe class RangeRewriter(BlockingIo io, Device device, int mostBytes) : IDisposable
{
    // Where some of what is read at a time cannot be read.
    private const int PartBytes = 4096;

    private readonly DeviceQueue _queue = io.QueueOf(device);
    private readonly AlignedMemory _memory = new(mostBytes);

    /// <summary>A range of whole sectors.</summary>
    /// <exception cref="UserErrorException">The device refuses a write.</exception>
    public void Rewrite(long offsetBytes, long lengthBytes)
    {
        long end = offsetBytes + lengthBytes;
        for (long at = offsetBytes; at < end; at += mostBytes)
        {
            long length = Math.Min(mostBytes, end - at);
            if (!TryRewrite(at, length)) RewriteParts(at, length);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _memory.Dispose();

    private void RewriteParts(long at, long lengthBytes)
    {
        long end = at + lengthBytes;
        for (; at < end; at += PartBytes) TryRewrite(at, Math.Min(PartBytes, end - at));
    }

    // False: it cannot be read.
    private bool TryRewrite(long at, long lengthBytes)
    {
        io.Start(_queue, IoKind.Read, at, _memory.Pointer, lengthBytes);
        if (io.Wait() < 0) return false;
        io.Start(_queue, IoKind.Write, at, _memory.Pointer, lengthBytes);
        io.WaitOrFail("writing again what is dirty", device);
        return true;
    }
}

using System;
using System.Runtime.InteropServices;
using Weir.Core.Io;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Queue;

/// <summary>
/// The order to make durable what was acknowledged, while the backing devices are served alone: each is flushed as if a
/// client had asked, through the first queue's door to it. One round for all who have asked before it began.
/// </summary>
internal sealed unsafe class FallbackFlushes(WriteboostVolume volume, IVolumeQueue?[] queues) : IDisposable
{
    private readonly Request* _requests =
        (Request*)NativeMemory.AllocZeroed((nuint)queues.Length, (nuint)sizeof(Request));
    private long _ticket;
    private int _left;
    private string? _failure;

    /// <summary>Not all devices have answered.</summary>
    public bool IsUnderWay => _left > 0;

    /// <summary>Once per turn, while requests are taken.</summary>
    public void Poll()
    {
        if (_left > 0 || volume.FallbackFlushesAsked == volume.FallbackFlushesDone) return;
        (_ticket, _failure) = (volume.FallbackFlushesAsked, null);
        // Counted before any is submitted: it may be complete at once.
        foreach (IVolumeQueue? queue in queues)
            if (queue != null) _left++;
        for (int i = 0; i < queues.Length; i++)
        {
            if (queues[i] == null) continue;
            _requests[i] = new Request { Kind = RequestKind.Flush, Device = (ushort)i };
            queues[i]!.Submit(&_requests[i]);
        }
        if (_left == 0) volume.EndFallbackFlush(_ticket, null);
    }

    /// <summary>Takes back a flush of the order's own; false: <paramref name="request"/> is a client's.</summary>
    public bool TryTake(Request* request)
    {
        if (request < _requests || request >= _requests + queues.Length) return false;
        if (request->Result < 0) _failure ??= FailureOf((int)(request - _requests), request->Result);
        if (--_left == 0) volume.EndFallbackFlush(_ticket, _failure);
        return true;
    }

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.Free(_requests);

    private string FailureOf(int device, int result) => volume.Fallback()[device]?.FlushLoss
        ?? $"backing device {volume.NameOfBacking(device + Backings.BackingTable.MinId)}: flush failed: "
            + Errno.Text(result);
}

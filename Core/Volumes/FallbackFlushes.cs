using System;
using System.Runtime.InteropServices;
using Weir.Core.Io;

namespace Weir.Core.Volumes;

/// <summary>
/// Carries out the orders of <see cref="FlushTickets"/> while the backing devices are served alone: each is flushed as
/// if a client had asked, through the first queue's way to it. One round for all who have asked before it began.
/// </summary>
/// <param name="orders">What is asked.</param>
/// <param name="queues">The ways to the devices.</param>
/// <param name="describe">In words, that a device's flush has failed, and with which negative errno.</param>
internal sealed unsafe class FallbackFlushes(
    FlushTickets orders, IVolumeQueue?[] queues, Func<int, int, string> describe) : IDisposable
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
        if (_left > 0 || orders.Asked == orders.Done) return;
        (_ticket, _failure) = (orders.Asked, null);
        // Counted before any is submitted: it may be complete at once.
        foreach (IVolumeQueue? queue in queues)
            if (queue != null) _left++;
        for (int i = 0; i < queues.Length; i++)
        {
            if (queues[i] == null) continue;
            _requests[i] = new Request { Kind = RequestKind.Flush, Device = (ushort)i };
            queues[i]!.Submit(&_requests[i]);
        }
        if (_left == 0) orders.End(_ticket, null);
    }

    /// <summary>Takes back a flush of the orders' own; false: <paramref name="request"/> is a client's.</summary>
    public bool TryTake(Request* request)
    {
        if (request < _requests || request >= _requests + queues.Length) return false;
        if (request->Result < 0) _failure ??= describe((int)(request - _requests), request->Result);
        if (--_left == 0) orders.End(_ticket, _failure);
        return true;
    }

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.Free(_requests);
}

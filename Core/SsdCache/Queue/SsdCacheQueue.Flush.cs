using System;
using Weir.Core.Io;
using Errno = Weir.Native.Errno;

namespace Weir.Core.SsdCache.Queue;

// Flushes are rounds of the committer (B6): whoever waits when one begins is answered by it.
internal sealed unsafe partial class SsdCacheQueue
{
    private RequestList _flushing;

    private void AddFlush(Request* request)
    {
        Own(request)->Step = RequestStep.Flushing;
        Own(request)->Ticket = _tickets.AskFlush();
        _flushing.Add(request);
        if (_index != 0) _parts.Queues.WakeFirst();
    }

    private void EndFlushes()
    {
        RequestList waiting = _flushing;
        _flushing = default;
        while (!waiting.IsEmpty)
        {
            Request* request = waiting.Take();
            if (_tickets.IsFlushed(Own(request)->Ticket)) End(request, 0);
            else if (_parts.Health.CacheHasFailed) PassOn(request);
            else if (_tickets.Failure != null) End(request, -Errno.EIO);
            else _flushing.Add(request);
        }
    }

    /// <inheritdoc/>
    public int BlockStatus(int device, StatusContext context, long offsetBytes, long lengthBytes, Span<Extent> extents)
    {
        const uint hole = 1, zero = 2;
        long end = offsetBytes + lengthBytes;
        int count = 0;
        while (offsetBytes < end && count < extents.Length)
        {
            long next = Math.Min(((offsetBytes >> _geometry.BlockShift) + 1) << _geometry.BlockShift, end);
            bool isHole = false;
            // Without a lock: what comes or goes meanwhile may be told either way, but never as a hole when it is data.
            if (!_table.Has((uint)(offsetBytes >> _geometry.BlockShift)))
                next = Math.Min(_devices.Backing.Device.ExtentEnd(offsetBytes, out isHole), next);
            uint flags = isHole ? hole | zero : 0;
            if (count > 0 && extents[count - 1].Flags == flags) count--;
            else extents[count].LengthBytes = 0;
            extents[count].LengthBytes += next - offsetBytes;
            extents[count++].Flags = flags;
            offsetBytes = next;
        }
        return count;
    }
}

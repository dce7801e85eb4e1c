using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Core.Writeboost.Queue;

/// <content>Flush and FUA: wait until D has passed a position (R6).</content>
public sealed unsafe partial class WriteboostQueue
{
    private void SubmitFlush(Request* request) => WaitFor(request, _volume.Log.ReservedEnd);

    private void WaitFor(Request* request, long position)
    {
        request->WaitPosition = position;
        if (_volume.Health.CacheHasFailed)
        {
            Complete(request, -Eio);
            return;
        }
        if (_volume.Log.Durable >= position)
        {
            Complete(request, 0);
            return;
        }
        Interleaving.Step();
        _waiting.Add(request);
        _volume.Log.RequestDurable(_port, position);
    }

    // Those that wait are nearly in order of position; one pass keeps it simple and touches each once.
    private void CheckWaiting()
    {
        if (_waiting.IsEmpty) return;
        bool failed = _volume.Health.CacheHasFailed;
        long durable = _volume.Log.Durable;
        RequestList still = default;
        while (_waiting.Take() is var request && request != null)
        {
            if (request->WaitPosition <= durable) Complete(request, 0);
            else if (failed) Complete(request, -Eio);
            else still.Add(request);
        }
        _waiting = still;
    }
}

using System.Threading;
using Weir.Core.Base;

namespace Weir.Core.Traces;

/// <summary>How many accesses all simulations together have done; any thread.</summary>
public sealed class SimulationProgress
{
    private long _done;
    private bool _isStopped;

    /// <summary>Accesses so far.</summary>
    public long Done => Volatile.Read(ref _done);

    /// <summary>Nobody waits for the results any more: simulations end at their next piece.</summary>
    public void Stop() => Volatile.Write(ref _isStopped, true);

    /// <summary>So many more. Throws when nobody waits any more.</summary>
    public void Add(long accesses)
    {
        Interlocked.Add(ref _done, accesses);
        if (Volatile.Read(ref _isStopped)) throw new UserErrorException("stopped");
    }
}

using System.Threading;

namespace Weir.Core.Volumes;

/// <summary>
/// Answers of one queue while clients have a latency target, and those that took longer: what the pace of write-back
/// goes by. Written by its thread alone, read by any. Never cleared: whoever looks subtracts what it has seen.
/// </summary>
internal sealed class LatencyMeter
{
    private long _timed;
    private long _slow;

    /// <summary>Requests answered while there was a target.</summary>
    public long Timed => Volatile.Read(ref _timed);

    /// <summary>Those of them that took longer.</summary>
    public long Slow => Volatile.Read(ref _slow);

    /// <summary>Counts an answer.</summary>
    public void Count(long latencyUs, long targetUs)
    {
        _timed++;
        if (latencyUs > targetUs) _slow++;
    }
}

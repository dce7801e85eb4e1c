using System;
using System.Threading;

namespace Weir.Core.Writeboost;

/// <summary>
/// The named states of a volume; a volume only ever goes to a later one. Their numbers are for metrics.
/// </summary>
public enum VolumeState
{
    /// <summary>All is well.</summary>
    Healthy = 0,
    /// <summary>
    /// Writes fail: the backing device no longer takes what the log holds. Reads and flushes go on.
    /// </summary>
    ReadOnly = 1,
    /// <summary>
    /// The cache device has failed and alone holds something: writes and flushes fail, reads give what RAM, the backing
    /// device and the rest of the cache device still have.
    /// </summary>
    Failed = 2,
    /// <summary>
    /// The cache device has failed, and the backing device has everything: it is served without a cache.
    /// </summary>
    PassThrough = 3,
}

/// <summary>The state of a volume until the next start. Any thread may worsen it.</summary>
public sealed class VolumeHealth(Action<string> log)
{
    private int _state;

    /// <summary>The state now.</summary>
    public VolumeState State => (VolumeState)Volatile.Read(ref _state);

    /// <summary>The cache device is used no more.</summary>
    public bool CacheHasFailed => State >= VolumeState.Failed;

    /// <summary>Why, in a sentence; empty while healthy.</summary>
    public string Reason { get; private set; } = "";

    /// <summary>Enters <paramref name="state"/> unless it is there or further, and says so once.</summary>
    public void Worsen(VolumeState state, string reason)
    {
        int old = Volatile.Read(ref _state);
        while (old < (int)state)
        {
            int seen = Interlocked.CompareExchange(ref _state, (int)state, old);
            if (seen == old)
            {
                Reason = reason;
                log($"volume is {NameOf(state)}: {reason}");
                return;
            }
            old = seen;
        }
    }

    /// <summary>The state's name in status, logs and documents.</summary>
    public static string NameOf(VolumeState state) => state switch
    {
        VolumeState.Healthy => "healthy",
        VolumeState.ReadOnly => "read-only",
        VolumeState.Failed => "failed",
        _ => "pass-through",
    };
}

using System;
using System.Threading;

namespace Weir.Core.Writeboost;

/// <summary>The named states of a volume, worse ones higher.</summary>
public enum VolumeState
{
    /// <summary>All is well.</summary>
    Healthy,
    /// <summary>Writes fail: the backing device no longer takes what the log holds. Reads and flushes go on.</summary>
    ReadOnly,
    /// <summary>Everything fails: the cache device lost a log write or a flush.</summary>
    Failed,
}

/// <summary>The state of a volume, only ever getting worse until the next start. Any thread may worsen it.</summary>
public sealed class VolumeHealth(Action<string> log)
{
    private int _state;

    /// <summary>The state now.</summary>
    public VolumeState State => (VolumeState)Volatile.Read(ref _state);

    /// <summary>Why, in a sentence; empty while healthy.</summary>
    public string Reason { get; private set; } = "";

    /// <summary>Enters <paramref name="state"/> unless it is already that bad, and says so once.</summary>
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
        _ => "failed",
    };
}

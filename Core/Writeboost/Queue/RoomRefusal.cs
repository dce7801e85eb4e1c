using System.Threading;

namespace Weir.Core.Writeboost.Queue;

/// <summary>
/// Whether writes that need room fail at once, because the full cache cannot be written back. Written on the first
/// queue's thread (<see cref="FullWait"/>), read by all.
/// </summary>
internal sealed class RoomRefusal
{
    private int _errno;

    /// <summary>What they fail with; 0: they wait for room.</summary>
    public int Errno
    {
        get => Volatile.Read(ref _errno);
        set => Volatile.Write(ref _errno, value);
    }
}

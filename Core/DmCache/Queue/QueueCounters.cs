using Weir.Core.Volumes;

namespace Weir.Core.DmCache.Queue;

/// <summary>What one queue has done, the engine's own numbers too; see <see cref="RequestCounters"/>.</summary>
internal sealed class QueueCounters() : RequestCounters(own: Last - FirstOwn + 1)
{
    /// <summary>Parts of requests in one block, as the seed counts them.</summary>
    public const int ReadHits = FirstOwn, ReadMisses = ReadHits + 1, WriteHits = ReadMisses + 1,
        WriteMisses = WriteHits + 1;

    /// <summary>Writes that waited for a commit, and requests that waited for a lock.</summary>
    public const int MarkWaits = WriteMisses + 1, LockWaits = MarkWaits + 1;

    /// <summary>Requests that have failed, and cached blocks that were read at home because the cache failed.</summary>
    public const int Errors = LockWaits + 1, ReadAtHome = Errors + 1;

    /// <summary>Discard pieces.</summary>
    public const int ZeroPieces = ReadAtHome + 1;

    /// <summary>Accesses that the policy has not heard of: it was busy for too long.</summary>
    public const int Untold = ZeroPieces + 1;

    private const int Last = Untold;
}

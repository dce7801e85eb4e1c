using Weir.Core.Volumes;

namespace Weir.Core.SsdCache.Queue;

/// <summary>What one queue has done, the engine's own numbers too; see <see cref="RequestCounters"/>.</summary>
internal sealed class QueueCounters() : RequestCounters(own: Last - FirstOwn + 1)
{
    /// <summary>What lookups have found, a number for each <see cref="LookupResult"/>: every part of a request in one
    /// block is counted once (S9).</summary>
    public const int FirstResult = FirstOwn;

    /// <summary>Requests that waited for a lock, and for a page of the directory.</summary>
    public const int LockWaits = FirstResult + (int)LookupResult.Bypass + 1, OpenWaits = LockWaits + 1;

    /// <summary>Requests that have failed, parts read at home because the cache failed, parts that nobody else had.
    /// </summary>
    public const int Errors = OpenWaits + 1, ReadAtHome = Errors + 1, LostReads = ReadAtHome + 1;

    /// <summary>Ways that were taken from other blocks.</summary>
    public const int Evictions = LostReads + 1;

    /// <summary>Fills, and why others were left out.</summary>
    public const int Fills = Evictions + 1, FillsFailed = Fills + 1, FillsCrowded = FillsFailed + 1,
        FillsClosed = FillsCrowded + 1, FillsWithoutWay = FillsClosed + 1, NotAdmitted = FillsWithoutWay + 1;

    private const int Last = NotAdmitted;
}

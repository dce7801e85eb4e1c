using System;
using System.Threading;
using Weir.Core.DmCache.Places;

namespace Weir.Core.DmCache.Commit;

/// <summary>
/// How far marks go ahead of writes (B1): one group of places where first writes are rare, more with each that comes
/// soon after another, so that a flood of first writes needs few commits. What is marked and not written costs its
/// write-back after a crash, nothing else.
/// </summary>
/// <remarks>Protocol. Both fields are hints: threads that race lose a step of growth.</remarks>
internal sealed class MarkAhead(PlaceTable table, ChangeList changes)
{
    private const uint MostGroups = 64;
    private const long SoonUs = 50_000;

    private uint _groups = 1;
    private long _lastUs = long.MinValue / 2;

    /// <summary>Wants the places around <paramref name="place"/> marked; the number of the commit that does it.
    /// </summary>
    public long Want(uint place, long nowUs)
    {
        uint groups = Step(nowUs);
        uint first = (place >> PlaceTable.GroupShift) / groups * groups;
        return changes.WantMarks(first, Math.Min(groups, table.Groups - first));
    }

    private uint Step(long nowUs)
    {
        uint groups = Volatile.Read(ref _groups);
        uint next = nowUs - Volatile.Read(ref _lastUs) < SoonUs ? Math.Min(2 * groups, MostGroups)
            : Math.Max(1, groups / 2);
        Volatile.Write(ref _groups, next);
        Volatile.Write(ref _lastUs, nowUs);
        return groups;
    }
}

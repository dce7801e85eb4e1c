using System.Threading;
using Weir.Core.Base;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Index;

/// <summary>
/// Where the newest version of every block is: the index of blocks and the map of ranges. What is logged is entered
/// here, by whoever has published it; position, not time, says what is newer (R2).
/// </summary>
internal sealed class VersionMap(Geometry geometry, SegmentTable table, BlockIndex index, RangeMap ranges)
{
    private long _removals;

    /// <summary>Rises before anything leaves index or ranges. Any thread.</summary>
    public long Removals => Volatile.Read(ref _removals);

    /// <summary>Something is going to leave them; by the reclaimer.</summary>
    public void NoteRemoval() => Interlocked.Increment(ref _removals);

    /// <summary>
    /// Enters what was logged at <paramref name="position"/>; of a block returns where its older version was found.
    /// </summary>
    public FoundIn Enter(in LogEntry entry, long position)
    {
        if (entry.Kind == EntryKind.Data)
            return index.Insert(entry.Key, geometry.PhysicalSlot(position), entry.Sectors, entry.Value);
        EnterOther(entry, position);
        return default;
    }

    private void EnterOther(in LogEntry entry, long position)
    {
        switch (entry.Kind)
        {
            case EntryKind.Zeroes or EntryKind.Discard:
                table.CountRange(geometry.Physical(geometry.SegmentOf(position)));
                if (!Mutant.Is(WriteboostMutant.R9RangeNotKept))
                    ranges.Insert(entry.Key, entry.Value, position, entry.Kind == EntryKind.Zeroes);
                break;
            case EntryKind.Poison:
                EnterPoison(entry, position, position - entry.Value);
                break;
            default:
                // Nothing was left to be said when its turn came.
                Invariant.Check(entry.Kind == EntryKind.Void);
                break;
        }
    }

    private void EnterPoison(in LogEntry entry, long position, long lost)
    {
        Invariant.Check(lost > 0);
        Invariant.Check(lost < position);
        if (entry.IsGivenUp) index.GiveUp(entry.Key, geometry.PhysicalSlot(lost), lost, entry.Sectors);
        else index.InsertPoison(entry.Key, geometry.PhysicalSlot(position), entry.Sectors, lost);
    }
}

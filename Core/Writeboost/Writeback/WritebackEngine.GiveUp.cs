using System;
using Weir.Core.Base;
using Weir.Core.Writeboost.Errors;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Writeback;

/// <content>
/// The user gives up what is lost (R11). An entry in the log says so, in order with all others, and names the place of
/// the version that is lost: what was logged before or behind that is not touched. Here because this thread alone moves
/// poison.
/// </content>
internal sealed unsafe partial class WritebackEngine
{
    private long _givenUpEnd;

    // A little in every turn; the order ends when all of it is durable.
    private void GiveUpMore()
    {
        GiveUpOrder? order = _giveUps.Order;
        if (order == null || order.IsDone) return;
        if (_health.CacheHasFailed)
        {
            string why = $"give_up: the cache device failed: {_health.Reason}";
            _giveUps.End(order, new UserErrorException(why));
            return;
        }
        Invariant.Check(order.Next <= order.Versions.Count);
        for (int left = MovesPerTurn; left > 0 && order.Next < order.Versions.Count; left--)
        {
            if (!TryGiveUp(order)) return;
            order.Next++;
        }
        if (order.Next < order.Versions.Count) return;
        if (_log.Durable < _givenUpEnd) _log.RequestDurable(_port, _givenUpEnd);
        else EndGiveUp(order);
    }

    private void EndGiveUp(GiveUpOrder order)
    {
        if (!IsForgotten(order)) return;
        // What write-back waits for may be less now, or over.
        if (_holdsForLost) LookAgain(_io.NowUs);
        _giveUps.End(order, null);
    }

    private bool TryGiveUp(GiveUpOrder order)
    {
        LostVersion lost = order.Versions[order.Next];
        uint slot = _log.Geometry.PhysicalSlot(lost.Position);
        bool isThere = _index.TryGetLost(slot, out ulong key, out byte sectors) && key == lost.Key
            && _log.Table.PositionOf(slot) == lost.Position;
        if (!isThere) return true;
        sectors &= lost.Sectors;
        if (sectors == 0) return true;
        if (!_log.Layout.HasRanges) return TryReplace(order, lost with { Sectors = sectors });
        if (Mutant.Is(WriteboostMutant.R11GivenUpNotLogged))
        {
            _index.GiveUp(key, slot, lost.Position, sectors);
            return true;
        }
        if (!TryAppend(out LogSlot at)) return false;
        new Span<byte>(_appender.Data(at), Geometry.BlockBytes).Clear();
        long distance = at.Position - lost.Position;
        Invariant.Check(distance > 0);
        Invariant.Check(distance <= uint.MaxValue);
        Publish(at, LogEntry.ForGivenUp(key, sectors, (uint)distance));
        _givenUpEnd = _log.ReservedEnd;
        order.GivenUp++;
        _giveUps.NoteGivenUp(lost);
        return true;
    }
}

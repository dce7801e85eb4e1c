using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.SsdCache.Format;

namespace Weir.Core.SsdCache.Queue;

/*
 * What a write does to the directory, in memory that outlives the process: a death between any two steps leaves it
 * true.
 *
 *               before the bytes move                     after they have moved
 *   to both     clean sectors are gone                    all are there
 *   to cache    sectors that were there are dirty         all are there, and dirty
 *   home        clean sectors are gone                    dirty ones are gone
 *
 * Pages were open before any of this (B1, B9).
 */
internal sealed unsafe partial class SsdCacheQueue
{
    private void BeginEffects(Request* request, Piece* piece)
    {
        for (int i = 0; i < piece->Count; i++)
        {
            ref PieceBlock it = ref (*piece)[i];
            CountResult(it.Result);
            if (it.Slot < 0) continue;
            (int first, int count) = piece->SectorsOf(it, _geometry);
            uint slot = (uint)it.Slot;
            bool goesHome = (it.Action & LookupAction.WriteHome) != 0;
            if (goesHome && !Mutant.Is(SsdCacheMutant.B1ThroughNotInvalid)) _table.DropClean(slot, first, count);
            else if (!goesHome) MarkDirty(slot, first, count);
            if (it.Result != LookupResult.WriteCancel) Touch(slot);
        }
    }

    // Sectors that are not there yet become so with their bytes.
    private void MarkDirty(uint slot, int first, int count)
    {
        int limit = first + count;
        for (int from = first; from < limit && _table.TryNextValidRun(slot, from, limit, out int at, out int run);)
        {
            if (_table.SetDirty(slot, at, run)) NoteChange(slot);
            from = at + run;
        }
    }

    private void NoteChange(uint slot) => _pages.NoteChange(_geometry.PageOf(slot / SsdGeometry.Ways), NowSecond);

    private void Touch(uint slot) => _table.Touch(slot, Tick);

    // A millisecond, about.
    private uint Tick => (uint)(_io.NowUs >> 10);

    private void EndEffects(Request* request, Piece* piece)
    {
        bool cacheFailed = (Own(request)->Facts & RequestFacts.CacheFailed) != 0;
        for (int i = 0; i < piece->Count && request->Result >= 0; i++)
        {
            ref PieceBlock it = ref (*piece)[i];
            if (it.Slot < 0) continue;
            (int first, int count) = piece->SectorsOf(it, _geometry);
            bool isCached = (it.Action & LookupAction.WriteCache) != 0 && !cacheFailed;
            if (!isCached) Leave(request, (uint)it.Slot, first, count);
            else if ((it.Action & LookupAction.WriteHome) != 0) KeepClean((uint)it.Slot, first, count);
            else KeepDirty(request, (uint)it.Slot, first, count);
        }
        EndPiece(request);
    }

    private void KeepClean(uint slot, int first, int count)
    {
        if (_table.SetValid(slot, first, count)) NoteChange(slot);
    }

    private void KeepDirty(Request* request, uint slot, int first, int count)
    {
        Own(request)->Facts |= RequestFacts.IsUnknown;
        if (_table.SetValidDirty(slot, first, count) && !Mutant.Is(SsdCacheMutant.B6ChangeNotNoted)) NoteChange(slot);
    }

    // Home has newer bytes. What the device names dirty would hide them after a crash: if nothing outlives the process
    // that knows better, the answer waits until it does not (B9).
    private void Leave(Request* request, uint slot, int first, int count)
    {
        if (Mutant.Is(SsdCacheMutant.B9StaleKept)) return;
        bool wasDirty = _table.AnyDirty(slot, first, count) || _table.IsNamed(slot);
        _table.ClearValid(slot, first, count);
        if (!wasDirty) return;
        NoteChange(slot);
        Own(request)->Facts |= RequestFacts.IsUnknown;
    }

    private void NoteReads(Piece* piece)
    {
        for (int i = 0; i < piece->Count; i++)
        {
            ref PieceBlock it = ref (*piece)[i];
            CountResult(it.Result);
            if (it.Slot >= 0) Touch((uint)it.Slot);
        }
    }

    // The lock is held until fills have theirs: no write of these sectors begins between (B8).
    private void ReadEnded(Request* request, Piece* piece)
    {
        _overlays.End(ref piece->Overlays, apply: request->Result >= 0);
        if (request->Result >= 0 && !request->IsZeroCopied)
        {
            for (int i = 0; i < piece->Count; i++)
            {
                ref PieceBlock it = ref (*piece)[i];
                if ((it.Action & LookupAction.Fill) != 0) _filler.TryFill(request, piece, it);
            }
        }
        EndPiece(request);
    }

    private void CountResult(LookupResult result) => _counters.Add(QueueCounters.FirstResult + (int)result, 1);
}

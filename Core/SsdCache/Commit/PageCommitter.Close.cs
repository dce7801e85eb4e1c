using Weir.Core.Base;

namespace Weir.Core.SsdCache.Commit;

// Pages are closed in idle time, so that a power cut leaves them warm, and at the stop.
internal sealed unsafe partial class PageCommitter
{
    // Looked at in one go: as many pages as a few microseconds allow.
    private const int PagesLookedAt = 4096;

    private const long PauseUs = 100_000;

    // A flush that somebody waits for is not kept waiting by pages that nobody wants.
    private bool MayClose(long nowUs)
    {
        if (_parts.Pages.OpenCount == 0 || _parts.Tickets.AreFlushesAsked || _parts.Tickets.AreOpensAsked) return false;
        if (ClosesAll) return true;
        if (CloseUs == 0 || nowUs < _nextCloseUs) return false;
        _nextCloseUs = nowUs + PauseUs;
        return nowUs - _parts.Activity.LastUs >= _parts.Options.IdleUs;
    }

    private void TakeIdle()
    {
        int looked = 0;
        for (; looked < PagesLookedAt && looked < _parts.Pages.Count && _count < MaxPages; looked++)
        {
            int page = _closeCursor;
            _closeCursor = page + 1 == _parts.Pages.Count ? 0 : page + 1;
            if (IsIdle(page)) TryClose(page);
        }
        if (_count == MaxPages || looked < _parts.Pages.Count) _nextCloseUs = 0;
    }

    private bool IsIdle(int page)
    {
        if (!_parts.Pages.IsOpen(page)) return false;
        return ClosesAll || NowSecond - _parts.Pages.TouchedAt(page) >= CloseUs / 1_000_000;
    }

    // Nothing is under way in it, and nothing begins: what it says is exact.
    private void TryClose(int page)
    {
        if (IsTaken(page)) return;
        _parts.Pages.BeginClose(page);
        if (_parts.Table.HasPins(page) && !Mutant.Is(SsdCacheMutant.B1ClosedInUse))
        {
            _parts.Pages.EndClose(page);
            return;
        }
        _parts.Pages.BeginSnapshot(page);
        Take(page, isOpen: false);
    }

    private bool IsTaken(int page)
    {
        for (int i = 0; i < _count; i++)
            if (_batch[i].Page == page) return true;
        return false;
    }
}

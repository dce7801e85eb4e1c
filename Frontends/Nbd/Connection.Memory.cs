using System;

namespace Weir.Frontends.Nbd;

// Memory for the data of requests: pages of the connection's own arena, so that no client can take another's. The first
// MiB, enough for any one piece of a request, is always to be had; beyond it, as far as the connections together have
// not taken what the server may use. What is not used for a second goes back to the system.
internal sealed unsafe partial class Connection
{
    /// <summary>A piece of a request at any byte, and the page that its edges are merged in.</summary>
    private const int OwnPages = (Protocol.ChunkBytes / Arena.PageBytes) + 3;

    private const long RestUs = 1_000_000;

    private int _borrowedPages;
    private long _restUs = long.MaxValue;

    /// <summary>Its data memory is known to the ring and stays.</summary>
    public bool KeepsMemory { get; init; }

    /// <summary>When <see cref="Rest"/> is due; <see cref="long.MaxValue"/>: there is nothing to give back.</summary>
    public long RestDueUs => _restUs;

    /// <summary>Gives memory back, if nothing is under way.</summary>
    public void Rest(long nowUs)
    {
        _restUs = long.MaxValue;
        if (_slots.PartsInUse > 0 || _arena.UsedPages > 0) NoteUse(nowUs);
        else if (!KeepsMemory) _arena.GiveBack();
    }

    private void NoteUse(long nowUs) => _restUs = nowUs + RestUs;

    /// <summary>Neighbouring pages, or -1: wait until some of this connection's are free.</summary>
    private int AllocatePages(int count)
    {
        int more = Math.Max(_arena.UsedPages + count - OwnPages, 0) - _borrowedPages;
        if (more > 0 && !_queue.TryBorrow(more)) return -1;
        int page = _arena.Allocate(count);
        _borrowedPages += Math.Max(more, 0);
        if (page < 0) ReturnUnused();
        return page;
    }

    private void ReturnUnused()
    {
        int unused = _borrowedPages - Math.Max(_arena.UsedPages - OwnPages, 0);
        if (unused <= 0) return;
        _borrowedPages -= unused;
        _queue.Return(unused);
    }

    /// <summary>The client has gone, and with it all use.</summary>
    private void ReturnAll()
    {
        ReturnUnused();
        if (!KeepsMemory) _arena.GiveBack();
        _streamSlab.GiveBack(StreamBytes);
        _restUs = long.MaxValue;
    }
}

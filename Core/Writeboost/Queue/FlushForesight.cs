namespace Weir.Core.Writeboost.Queue;

/// <summary>
/// Foresees the flush of a client that flushes after every so many changes: databases, journals, a loop of write and
/// fsync. Whoever starts the log's write and flush with the last change, and not with the client's flush, saves the
/// client a trip to the device. One queue's own; a guess that fails costs one short record and one flush, and there is
/// at most one guess for each flush that came.
/// </summary>
internal struct FlushForesight
{
    /// <summary>More changes than this make a record that is well worth its header: no need to guess.</summary>
    private const int MostChanges = 64;

    private int _changes;
    private int _last;
    private int _beforeLast;

    /// <summary>A change is logged. True: a flush will follow, as it did twice before after as many.</summary>
    public bool NoteChange() => ++_changes == _last && _last == _beforeLast && _last <= MostChanges;

    /// <summary>A flush has come; one that has nothing before it says nothing.</summary>
    public void NoteFlush()
    {
        if (_changes == 0) return;
        (_beforeLast, _last, _changes) = (_last, _changes, 0);
    }
}

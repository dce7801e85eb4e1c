using System.Threading;

namespace Weir.Core.Writeboost.Backings;

/// <summary>
/// What write-back has done in this life, and what has held it up. Written on the first queue's thread, read by any.
/// </summary>
internal sealed class WritebackProgress
{
    private long _blocks;
    private long _segments;
    private long _blocksAhead;
    private long _setbacks;
    private volatile string _setback = "";

    /// <summary>Blocks written to their backing devices.</summary>
    public long Blocks => Volatile.Read(ref _blocks);

    /// <summary>Segments of them.</summary>
    public long Segments => Volatile.Read(ref _segments);

    /// <summary>Blocks of the batch under way that are written already.</summary>
    public long BlocksAhead
    {
        get => Volatile.Read(ref _blocksAhead);
        set => Volatile.Write(ref _blocksAhead, value);
    }

    /// <summary>Memory that write-back uses, in bytes; set once, when the first queue is opened.</summary>
    public long MemoryBytes { get; set; }

    /// <summary>How often it was refused for so long that whoever waits for it is told.</summary>
    public long Setbacks => Volatile.Read(ref _setbacks);

    /// <summary>Why it was the last time.</summary>
    public string LastSetback => _setback;

    /// <summary>A batch has ended.</summary>
    public void Count(int blocks, int segments)
    {
        Volatile.Write(ref _blocks, _blocks + blocks);
        Volatile.Write(ref _segments, _segments + segments);
    }

    /// <summary>
    /// It has been refused for long enough: whoever waits is told <paramref name="reason"/>, whether or not it is tried
    /// again later.
    /// </summary>
    public void NoteSetback(string reason)
    {
        _setback = reason;
        Interlocked.Increment(ref _setbacks);
    }
}

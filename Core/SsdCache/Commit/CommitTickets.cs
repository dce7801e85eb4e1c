using System.Threading;

namespace Weir.Core.SsdCache.Commit;

/// <summary>
/// What threads wait for of the committer: that pages are open, or that what was acknowledged is durable.
/// </summary>
/// <remarks>
/// Protocol. A number is asked for after what it shall cover has been noted (<see cref="PageStates.Want"/>,
/// <see cref="PageStates.NoteChange"/>); the committer reads what was asked for before it looks at the pages, and
/// raises what is done when all it saw is durable. <c>_failure</c> is written once, before the queues are woken.
/// </remarks>
internal sealed class CommitTickets
{
    private long _opensAsked, _opensDone;
    private long _flushesAsked, _flushesDone;
    private string? _failure;

    /// <summary>Why nothing more becomes durable; null: it does. Any thread.</summary>
    public string? Failure => Volatile.Read(ref _failure);

    /// <summary>Numbers given for pages that are to be open; any thread.</summary>
    public long OpensAsked => Volatile.Read(ref _opensAsked);

    /// <summary>Numbers given for flushes; any thread.</summary>
    public long FlushesAsked => Volatile.Read(ref _flushesAsked);

    /// <summary>Flushes that are done; any thread.</summary>
    public long FlushesDone => Volatile.Read(ref _flushesDone);

    /// <summary>Something waits for an open page.</summary>
    public bool AreOpensAsked => OpensAsked > Volatile.Read(ref _opensDone);

    /// <summary>Something waits for a flush.</summary>
    public bool AreFlushesAsked => FlushesAsked > FlushesDone;

    /// <summary>The pages that were wanted so far shall be open; a number for <see cref="AreOpen"/>.</summary>
    public long AskOpen() => Interlocked.Increment(ref _opensAsked);

    /// <summary>What was acknowledged so far shall be durable; a number for <see cref="IsFlushed"/>.</summary>
    public long AskFlush() => Interlocked.Increment(ref _flushesAsked);

    /// <summary>The pages were opened; they may be closed again.</summary>
    public bool AreOpen(long ticket) => Volatile.Read(ref _opensDone) >= ticket;

    /// <summary>It is durable.</summary>
    public bool IsFlushed(long ticket) => FlushesDone >= ticket;

    /// <summary>All pages wanted up to this number are open.</summary>
    public void EndOpens(long ticket) => Volatile.Write(ref _opensDone, ticket);

    /// <summary>All up to this number is durable.</summary>
    public void EndFlushes(long ticket) => Volatile.Write(ref _flushesDone, ticket);

    /// <summary>Nothing more will be durable.</summary>
    public void Fail(string reason) => Interlocked.CompareExchange(ref _failure, reason, null);
}

using System.Threading;

namespace Weir.Core.Volumes;

/// <summary>
/// Orders to make durable what was acknowledged, on their way from threads that wait to the first queue's: how many
/// have been given, how many are done, and which round failed last.
/// </summary>
/// <remarks>
/// Protocol. <c>_asked</c> is raised by whoever orders. The first queue's thread writes <c>_failed</c>, then
/// <c>_done</c>; who reads sees them the other way round. A later round that succeeds says nothing of an earlier one.
/// </remarks>
internal sealed class FlushTickets
{
    private sealed record Failure(long Ticket, string Reason);

    private long _asked;
    private long _done;
    private volatile Failure? _failed;

    /// <summary>How many were given; any thread.</summary>
    public long Asked => Volatile.Read(ref _asked);

    /// <summary>Those up to this one are done; any thread. Looked at before <see cref="FailureOf"/>.</summary>
    public long Done => Volatile.Read(ref _done);

    /// <summary>
    /// Why <paramref name="ticket"/>, which is done, failed, or a later one that whoever asks late hears of too; null:
    /// none did.
    /// </summary>
    public string? FailureOf(long ticket) => _failed is { } failed && failed.Ticket >= ticket ? failed.Reason : null;

    /// <summary>One more; its number.</summary>
    public long Ask() => Interlocked.Increment(ref _asked);

    /// <summary>All up to <paramref name="ticket"/> are done.</summary>
    public void End(long ticket, string? failure)
    {
        if (failure != null) _failed = new Failure(ticket, failure);
        Volatile.Write(ref _done, ticket);
    }
}

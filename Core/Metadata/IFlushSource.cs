namespace Weir.Core.Metadata;

/// <summary>
/// Who makes a device durable on which several parts of an engine write: one flush at a time, so that none succeeds
/// beside one that fails.
/// </summary>
internal interface IFlushSource
{
    /// <summary>
    /// Flushes that have failed: what was written before the last of them may be lost, whatever a later one says.
    /// </summary>
    long Failures { get; }

    /// <summary>The device has failed for good: no flush comes any more.</summary>
    bool HasFailed { get; }

    /// <summary>Wants flushed what has been written so far; the number is for <see cref="IsFlushed"/>.</summary>
    long RequestFlush();

    /// <summary>The flush of this number, or a later one, has succeeded.</summary>
    bool IsFlushed(long ticket);
}

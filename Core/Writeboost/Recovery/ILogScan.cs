using System;
using Weir.Core.Base;

namespace Weir.Core.Writeboost.Recovery;

/// <summary>
/// Finds where the log of a cache ends and replays it. <see cref="Run"/> writes nothing to any device (R12); the two
/// repairs write what it decided, and may be repeated.
/// </summary>
public interface ILogScan : IDisposable
{
    /// <summary>Position after the last record of the chain.</summary>
    long EndPosition { get; }

    /// <summary>Sequence after the last record.</summary>
    long NextSequence { get; }

    /// <summary>What the next header builds on.</summary>
    uint PreviousChecksum { get; }

    /// <summary>Everything below had certainly been flushed, as far as the log tells.</summary>
    long DurablePosition { get; }

    /// <summary>Oldest segment that counts.</summary>
    long TailSegment { get; }

    /// <summary>Scans, replays, and leaves the properties set.</summary>
    /// <exception cref="UserErrorException">A record that had been flushed is damaged (R5).</exception>
    void Run();

    /// <summary>
    /// Writes once more, unchanged, what no flush is known to cover from <paramref name="durablePosition"/> on (R6).
    /// </summary>
    void RewriteUnproven(long durablePosition);

    /// <summary>Erases what lies behind <paramref name="endPosition"/> and could be taken for the log's going on
    /// (R4).</summary>
    void EraseFuture(long endPosition);
}

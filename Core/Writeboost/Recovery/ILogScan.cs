using System;
using Weir.Core.Base;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Recovery;

/// <summary>
/// Finds where the log of a cache ends and replays it. <see cref="Run"/> and what is asked after it write nothing to
/// any device (R12); the two repairs write what was decided, and may be repeated.
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

    /// <summary>Last segment of the log; the one before the tail when there is none.</summary>
    long EndSegment { get; }

    /// <summary>
    /// Checksum of the last header as it lies on the device; only layouts without epochs need it, 0 in the others.
    /// </summary>
    uint EndHeaderChecksum { get; }

    /// <summary>
    /// Headers behind the log's end that carry a later id: what a power cut left, or all that lies behind a segment
    /// that has rotted. Only layouts without epochs cannot tell which; 0 in the others.
    /// </summary>
    int HeadersBehindEnd { get; }

    /// <summary>
    /// Told by <see cref="Run"/> which blocks the backing devices hold, in layouts where the log alone knows.
    /// </summary>
    KnownBlocks? Known { get; set; }

    /// <summary>Scans, replays, and leaves the properties set.</summary>
    /// <exception cref="UserErrorException">A record that had been flushed is damaged (R5).</exception>
    void Run();

    /// <summary>
    /// As far as <paramref name="samples"/> say, so much was durable; in layouts whose headers do not say it.
    /// </summary>
    void ProveDurable(SampleTable samples);

    /// <summary>Throws when the log has lost what was durable (R5); <see cref="Run"/> has where headers tell.</summary>
    /// <exception cref="UserErrorException">It has.</exception>
    void CheckEnd();

    /// <summary>
    /// A log with headers behind its end, of which <paramref name="memory"/> says that it was durable, was not cut by
    /// whoever had it since.
    /// </summary>
    /// <exception cref="UserErrorException">As <see cref="CheckEnd()"/>.</exception>
    void CheckEnd(RamSegments memory);

    /// <summary>
    /// <paramref name="memory"/> is of the life that wrote the log's end: nobody has gone on since.
    /// </summary>
    bool IsLastLifes(RamSegments memory);

    /// <summary>
    /// Writes once more, unchanged, what no flush is known to cover from <paramref name="durablePosition"/> on (R6).
    /// </summary>
    void RewriteUnproven(long durablePosition);

    /// <summary>Erases what lies behind <paramref name="endPosition"/> and could be taken for the log's going on
    /// (R4).</summary>
    void EraseStaleTail(long endPosition);
}

namespace Weir.Core.Cleaning;

/// <summary>
/// What <see cref="CleaningGovernor"/> asks of its engine, on the engine's background thread: a few times per turn,
/// never per block.
/// </summary>
internal interface ICleaningLoad
{
    /// <summary>
    /// Somebody waits for clean space, or has asked for a clean cache: full speed, whoever is at work.
    /// </summary>
    bool IsPressed { get; }

    /// <summary>When the last client's request came, in microseconds on the context's clock.</summary>
    long LastActivityUs { get; }

    /// <summary>At least this share of the cache, in percent, is used by what has not been written back.</summary>
    bool IsUsedAbove(int percent);

    /// <summary>
    /// The largest share of its time, in percent, that any backing device gives: reason enough to begin.
    /// </summary>
    int LargestThreshold { get; }

    /// <summary>
    /// Requests answered so far while clients have a latency target, and those of them that took longer.
    /// </summary>
    (long Timed, long Slow) Answers { get; }
}

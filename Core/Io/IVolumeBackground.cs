namespace Weir.Core.Io;

/// <summary>
/// What one queue does that no client has asked for. Any queue of a volume may have some: the queue looks after it in
/// its own <see cref="IVolumeQueue.Poll"/>, counts its deadline, and does not end its stop before it. Everything here
/// is for the queue's thread.
/// </summary>
public interface IVolumeBackground
{
    /// <summary>When it has something to do at the latest, on the context's clock, in microseconds.</summary>
    long DeadlineUs { get; }

    /// <summary>Nothing of it is under way.</summary>
    bool AreQuiet { get; }

    /// <summary>The step of the stop that has not come yet, for people; null: none is awaited.</summary>
    string? Awaited { get; }

    /// <summary>How far its part of the stop has come.</summary>
    StopStatus StopStatus { get; }
}

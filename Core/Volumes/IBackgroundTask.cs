using System;
using Weir.Core.Io;

namespace Weir.Core.Volumes;

/// <summary>What a volume is doing, as far as background work goes by it.</summary>
[Flags]
internal enum BackgroundState
{
    /// <summary>Clients are served.</summary>
    Serving = 1,
    /// <summary>The orderly stop has begun.</summary>
    Stopping = 2,
    /// <summary>The cache device has failed, whether the volume stops or not.</summary>
    Failed = 4,
    /// <summary>Nothing is written: there is nothing to look after.</summary>
    ReadOnly = 8,

    /// <summary>The cache device is used.</summary>
    Working = Serving | Stopping,
    /// <summary>Something may be written.</summary>
    Writing = Working | Failed,
}

/// <summary>
/// Something that nobody asked for and everybody relies on, on the thread of the queue that has it. It never waits:
/// what it cannot end now it goes on with in another turn.
/// </summary>
internal interface IBackgroundTask
{
    /// <summary>Once per turn, in the states that the table names; <paramref name="state"/>: this turn's.</summary>
    void Poll(long nowUs, BackgroundState state);

    /// <summary>
    /// When <see cref="Poll"/> has something to do at the latest, on the context's clock, in microseconds.
    /// </summary>
    long DeadlineUs => long.MaxValue;

    /// <summary>Nothing of it is under way: whatever it uses may go.</summary>
    bool IsQuiet => true;
}

/// <summary>A line of the table that says who is asked when.</summary>
/// <param name="Name">What it is called, for people.</param>
/// <param name="In">The states in which it is polled, and its deadline counts.</param>
/// <param name="Task">The work.</param>
internal sealed record BackgroundTask(string Name, BackgroundState In, IBackgroundTask Task);

/// <summary>A line of the table that says how a volume stops, in this order.</summary>
/// <param name="Name">What it is called, for people.</param>
/// <param name="IsReady">What it waits for has come; what it waits for and nobody else has begun, it begins.</param>
/// <param name="Run">
/// What it does then: <see cref="StopStatus.Running"/>, the next step follows; else the stop is over, and this is how.
/// </param>
internal sealed record StopStep(string Name, Func<bool> IsReady, Func<StopStatus> Run);

using System;
using System.Collections.Generic;
using Weir.Core.Io;

namespace Weir.Core.Volumes;

/// <summary>
/// Background work of one queue, on its thread: tasks in the order in which they are asked, and the orderly stop (R15).
/// The engine fills both tables, for whichever queues it likes; what is true of every engine is here. A step of the
/// stop that needs the other queues waits for <see cref="QueueSet.HaveAllStopped"/>.
/// </summary>
/// <remarks>
/// The state decides who is asked, and of those alone the deadline counts: that of one who is not asked any more would
/// pass, and the thread never sleep again. Nothing leaves <see cref="BackgroundState.Failed"/>, and a stop never ends
/// but with its result.
/// </remarks>
/// <param name="health">Says whether the cache device has failed.</param>
/// <param name="isReadOnly">The volume writes nothing in this life.</param>
/// <param name="tasks">Who is asked, in this order.</param>
/// <param name="stops">How the volume stops, by its state; the states that stop must have a table each.</param>
internal sealed class BackgroundTasks(
    VolumeHealth health, bool isReadOnly, BackgroundTask[] tasks, Dictionary<BackgroundState, StopStep[]> stops)
    : IVolumeBackground
{
    private StopStep[] _steps = [];
    private int _step;
    private bool _stops;

    /// <summary>What decides who is asked now.</summary>
    public BackgroundState State => isReadOnly ? BackgroundState.ReadOnly
        : health.CacheHasFailed ? BackgroundState.Failed
        : _stops ? BackgroundState.Stopping : BackgroundState.Serving;

    /// <summary>The tasks, in order.</summary>
    public IReadOnlyList<BackgroundTask> Tasks => tasks;

    /// <inheritdoc/>
    public string? Awaited => _stops && !StopStatus.IsOver && _step < _steps.Length ? _steps[_step].Name : null;

    /// <inheritdoc/>
    public StopStatus StopStatus { get; private set; }

    /// <inheritdoc/>
    public bool AreQuiet
    {
        get
        {
            foreach (BackgroundTask task in tasks)
                if (!task.Task.IsQuiet) return false;
            return true;
        }
    }

    /// <inheritdoc/>
    public long DeadlineUs
    {
        get
        {
            BackgroundState state = State;
            long deadlineUs = long.MaxValue;
            foreach (BackgroundTask task in tasks)
                if ((task.In & state) != 0) deadlineUs = Math.Min(deadlineUs, task.Task.DeadlineUs);
            return deadlineUs;
        }
    }

    /// <summary>Once per turn.</summary>
    public void Poll(long nowUs)
    {
        BackgroundState state = State;
        foreach (BackgroundTask task in tasks)
            if ((task.In & state) != 0) task.Task.Poll(nowUs, state);
        if (_stops && !StopStatus.IsOver) GoOn(stops[state]);
    }

    /// <summary>Starts the orderly stop.</summary>
    public void BeginStop() => _stops = true;

    // In another state the stop begins anew, by that state's table.
    private void GoOn(StopStep[] steps)
    {
        if (steps != _steps) (_steps, _step) = (steps, 0);
        while (!StopStatus.IsOver && _steps[_step].IsReady()) StopStatus = _steps[_step++].Run();
    }
}

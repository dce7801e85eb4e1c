using System;
using System.Collections.Generic;
using Weir.Core.Io;

namespace Weir.Core.Volumes;

/// <summary>
/// A volume's background work, on the first queue's thread: tasks in the order in which they are asked, and the orderly
/// stop (R15). The engine fills both tables; what is true of every engine is here.
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

    /// <summary>The step of the stop that has not come yet, for people; null: none is awaited.</summary>
    public string? Awaited => _stops && !StopStatus.IsOver && _step < _steps.Length ? _steps[_step].Name : null;

    /// <summary>As <see cref="IVolumeQueue.StopStatus"/>.</summary>
    public StopStatus StopStatus { get; private set; }

    /// <summary>Nothing is under way.</summary>
    public bool AreQuiet
    {
        get
        {
            foreach (BackgroundTask task in tasks)
                if (!task.Task.IsQuiet) return false;
            return true;
        }
    }

    /// <summary>When <see cref="Poll"/> has something to do at the latest, in microseconds.</summary>
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

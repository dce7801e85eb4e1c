using System;
using System.Collections.Generic;
using Weir.Core.Base;

namespace Weir.Core.Volumes;

/// <summary>What a step of a start does to devices.</summary>
internal enum StepKind
{
    /// <summary>It reads and decides; to no device it writes anything.</summary>
    Reads,
    /// <summary>It makes durable what was decided.</summary>
    Writes,
}

/// <summary>One step of a start.</summary>
/// <param name="Name">What it does, for people: "find the end of the log".</param>
/// <param name="Kind">Whether it writes.</param>
/// <param name="Run">Does it; throws what ends the start.</param>
/// <param name="Undo">Gives back what it took, when a later step ends the start; null: nothing.</param>
internal sealed record StartStep<T>(string Name, StepKind Kind, Action<T> Run, Action<T>? Undo = null);

/// <summary>
/// How a volume is opened, as a table: everything is read and decided before anything is written (R12), so that what
/// refuses a cache leaves it as it was.
/// </summary>
internal sealed class StartSteps<T>
{
    private readonly StartStep<T>[] _steps;

    /// <summary>These, in this order: those that read before those that write.</summary>
    public StartSteps(params StartStep<T>[] steps)
    {
        _steps = steps;
        for (int i = 1; i < steps.Length; i++) Invariant.Check(steps[i].Kind >= steps[i - 1].Kind);
    }

    /// <summary>The table.</summary>
    public IReadOnlyList<StartStep<T>> All => _steps;

    /// <summary>
    /// Runs the steps, those that write only if they <paramref name="mayWrite"/>; <paramref name="begins"/> is told of
    /// each before it runs. When one throws, what those before it have taken is given back, the last first.
    /// </summary>
    public void Run(T start, bool mayWrite, Action<string, StepKind>? begins = null)
    {
        int done = 0;
        try
        {
            for (; done < _steps.Length && (mayWrite || _steps[done].Kind == StepKind.Reads); done++)
            {
                begins?.Invoke(_steps[done].Name, _steps[done].Kind);
                _steps[done].Run(start);
            }
        }
        catch
        {
            Undo(start, done);
            throw;
        }
    }

    /// <summary>Gives back what all steps have taken, the last first: the life that they began is over.</summary>
    public void Undo(T start) => Undo(start, _steps.Length);

    private void Undo(T start, int done)
    {
        while (done > 0) _steps[--done].Undo?.Invoke(start);
    }
}

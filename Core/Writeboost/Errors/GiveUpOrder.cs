using System;
using System.Collections.Generic;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Volumes;

namespace Weir.Core.Writeboost.Errors;

/// <summary>
/// Lost versions that the user gives up, on their way from a thread that waits to the first queue's, which logs it.
/// </summary>
internal sealed class GiveUpOrder(IReadOnlyList<LostVersion> versions) : IGiveUpOrder
{
    private readonly ManualResetEventSlim _done = new();
    private UserErrorException? _error;

    /// <summary>What is given up.</summary>
    public IReadOnlyList<LostVersion> Versions { get; } = versions;

    /// <summary>How many of them have been looked at. The first queue's thread.</summary>
    public int Next { get; set; }

    /// <summary>Those that were still there. The first queue's thread, until the end.</summary>
    public int GivenUp { get; set; }

    /// <summary>Nobody waits for it any more; what is logged stays.</summary>
    public bool IsCancelled { get; private set; }

    /// <inheritdoc/>
    public bool IsDone => _done.IsSet;

    /// <summary>Waits for the end, and asks now and then whether that is still wanted.</summary>
    /// <exception cref="UserErrorException">It could not be done, or is not wanted any more.</exception>
    public void Wait(Func<bool> isCancelled, int turnMs)
    {
        while (!_done.Wait(turnMs) && !IsCancelled) IsCancelled = isCancelled();
        if (!_done.IsSet) throw new UserErrorException("give_up: interrupted; what was logged before that stays so");
        if (_error != null) throw _error;
    }

    /// <inheritdoc/>
    public int End()
    {
        Invariant.Check(IsDone);
        Wait(static () => true, 0);
        return GivenUp;
    }

    /// <summary>It is done, or <paramref name="error"/> says why not; the first word counts.</summary>
    public void Finish(UserErrorException? error)
    {
        if (_done.IsSet) return;
        _error = error;
        _done.Set();
    }

    /// <inheritdoc/>
    public void Dispose() => _done.Dispose();
}

using System;
using System.Threading;
using Weir.Core.Base;

namespace Weir.Core.Writeboost.Backings;

/// <summary>
/// A device to attach or to detach, on its way from a thread that waits to the first queue's, which carries it out.
/// </summary>
internal sealed class DeviceOrder : IDisposable
{
    private readonly ManualResetEventSlim _done = new();
    private UserErrorException? _error;
    private volatile bool _isCancelled;

    /// <summary>What to attach; null for a detach.</summary>
    public BackingSpec? Spec { get; init; }

    /// <summary>Name of the device.</summary>
    public required string Name { get; init; }

    /// <summary>The device that has come or gone; set before the end.</summary>
    public BackingDevice? Device { get; set; }

    /// <summary>The device stays because blocks of it are lost; set before the end.</summary>
    public bool LeavesLost { get; set; }

    /// <summary>It is over, one way or the other.</summary>
    public bool IsDone => _done.IsSet;

    /// <summary>After the end: why it could not be done, or null.</summary>
    public UserErrorException? Error => _error;

    /// <summary>Whoever waits has lost interest.</summary>
    public bool IsCancelled => _isCancelled;

    /// <summary>It waits for a device that does not answer: it ends as failed, whatever is under way there.</summary>
    public bool IsHung { get; private set; }

    /// <summary>
    /// Waits for the end, and asks now and then whether that is still wanted, and whether there will be one. If not,
    /// <paramref name="withdraw"/> takes back what was not begun.
    /// </summary>
    /// <exception cref="UserErrorException">It could not be done; everything is as it was.</exception>
    public void Wait(Func<bool> isCancelled, Func<bool> isHung, Func<bool> withdraw, int turnMs)
    {
        while (!_done.Wait(turnMs))
        {
            IsHung = IsHung || isHung();
            _isCancelled |= IsHung || isCancelled();
            if (IsHung && withdraw()) Interrupt();
        }
        if (_error != null) throw _error;
    }

    /// <summary>It ends because whoever waits has lost interest.</summary>
    public void Interrupt() =>
        Finish(new UserErrorException($"{Name}: {(Spec == null ? "stays attached: " : "")}interrupted"));

    /// <summary>It is done, or <paramref name="error"/> says why not.</summary>
    public void Finish(UserErrorException? error)
    {
        _error = error;
        _done.Set();
    }

    /// <inheritdoc/>
    public void Dispose() => _done.Dispose();
}

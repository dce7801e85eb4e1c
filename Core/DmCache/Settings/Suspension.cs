using System;
using System.Threading;
using Weir.Core.Io;

namespace Weir.Core.DmCache.Settings;

/// <summary>How far a suspend is.</summary>
internal enum SuspendState
{
    /// <summary>Requests are served.</summary>
    Serving,
    /// <summary>New ones wait, those under way end.</summary>
    Draining,
    /// <summary>Both devices are flushed.</summary>
    Flushing,
    /// <summary>Metadata are committed, with hints and discards, as at a stop.</summary>
    Committing,
    /// <summary>Requests wait, and nothing is written to any device.</summary>
    Suspended,
    /// <summary>The commit of a cache that has grown is under way.</summary>
    Growing,
    /// <summary>The commit that takes the discards back is under way.</summary>
    Resuming,
}

/// <summary>Orders to hold requests, and to go on with them: the kernel's suspend and resume.</summary>
/// <remarks>
/// Protocol. What is wanted is set by any thread; state and failure by the first queue's alone, but that an order
/// takes the failure of the one before away.
/// </remarks>
internal sealed class Suspension(Action wake)
{
    private static readonly string[] s_names = ["no", "begun", "begun", "begun", "yes", "yes", "ending"];

    private volatile bool _isWanted;
    private volatile bool _isHurried;
    private int _state;
    private volatile string? _failure;

    /// <summary>Requests shall wait; a stop lets them go on.</summary>
    public bool IsWanted => _isWanted && !_isHurried;

    /// <summary>A stop waits for those that wait, and they cannot go on.</summary>
    public bool MustRefuse => _isHurried && _failure != null && State == SuspendState.Suspended;

    /// <summary>How far it is; written by the first queue's thread.</summary>
    public SuspendState State
    {
        get => (SuspendState)Volatile.Read(ref _state);
        set => Volatile.Write(ref _state, (int)value);
    }

    /// <summary>For status: no, begun, yes, ending.</summary>
    public string Name => s_names[(int)State];

    /// <summary>Why the last order came to nothing; null: it did not. Written as <see cref="State"/>.</summary>
    public string? Failure
    {
        get => _failure;
        set => _failure = value;
    }

    /// <summary>A suspend came to nothing. By the first queue's thread.</summary>
    public void GiveUp(string reason)
    {
        _failure = reason;
        _isWanted = false;
    }

    /// <summary>Orders a suspend; returns what looks how far it is.</summary>
    public Func<OrderProgress> BeginSuspend()
    {
        Want(true);
        return () => Look(SuspendState.Suspended, "requests under way", "done, requests wait until resume");
    }

    /// <summary>Orders that requests go on.</summary>
    public Func<OrderProgress> BeginResume()
    {
        if (State == SuspendState.Serving && !_isWanted)
            return static () => OrderProgress.DoneWith("done, the volume was not suspended");
        Want(false);
        return () => Look(SuspendState.Serving, "the volume is suspended", "done, requests go on");
    }

    /// <summary>The program stops: what waits goes on.</summary>
    public void Hurry()
    {
        if (_isHurried) return;
        _isHurried = true;
        if (State != SuspendState.Serving) wake();
    }

    private void Want(bool isWanted)
    {
        _failure = null;
        _isWanted = isWanted;
        wake();
    }

    private OrderProgress Look(SuspendState end, string left, string said)
    {
        OrderProgress open = OrderProgress.UnderWay(left);
        if (_failure is { } failure) return open.Fail(failure);
        bool isOther = _isWanted != (end == SuspendState.Suspended);
        return State == end ? OrderProgress.DoneWith(said) : isOther ? open.Fail("another order came between") : open;
    }
}

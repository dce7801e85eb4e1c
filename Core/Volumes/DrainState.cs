using System;
using System.Threading;
using Weir.Core.Io;

namespace Weir.Core.Volumes;

/// <summary>Who wants everything written back, as fast as it goes. Any thread.</summary>
internal sealed class DrainState
{
    private int _orders;
    private volatile bool _forMode;
    private volatile bool _isHurried;
    private volatile bool _forPolicy;

    /// <summary>Somebody does.</summary>
    public bool IsOn => Volatile.Read(ref _orders) > 0 || _forMode || _forPolicy || _isHurried;

    /// <summary>A mode is entered that has nothing dirty.</summary>
    public bool ForMode
    {
        get => _forMode;
        set => _forMode = value;
    }

    /// <summary>The policy is one that empties the cache (cleaner).</summary>
    public bool ForPolicy
    {
        get => _forPolicy;
        set => _forPolicy = value;
    }

    /// <summary>A request waits for what is under way to end.</summary>
    public void Hurry() => _isHurried = true;

    /// <summary>It has ended.</summary>
    public void EndHurry() => _isHurried = false;

    /// <summary>An order begins.</summary>
    public void Begin() => Interlocked.Increment(ref _orders);

    /// <summary>It is over.</summary>
    public void End() => Interlocked.Decrement(ref _orders);

    /// <summary>The order that has begun is over when <paramref name="wait"/> is.</summary>
    public Func<OrderProgress> EndWith(Func<OrderProgress> wait)
    {
        bool isOver = false;
        return () =>
        {
            OrderProgress at = wait();
            if (at.IsOver && !isOver) End();
            isOver |= at.IsOver;
            return at;
        };
    }
}

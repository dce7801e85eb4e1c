using System;
using Weir.Core.Base;

namespace Weir.Core.Io;

/// <summary>
/// Whoever waits for a device that may be slow: is told how far its reads are, again and again while nothing moves, and
/// may call them off between two. One thread.
/// </summary>
/// <param name="progress">Told of what, how many are done, of how many.</param>
/// <param name="isCalledOff">Nobody wants it any more.</param>
public sealed class IoWatch(Action<string, long, long>? progress, Func<bool>? isCalledOff)
{
    /// <summary>So long it is quiet at most.</summary>
    public const long TurnUs = 500_000;

    private string _what = "";
    private long _done;
    private long _total;

    /// <summary><paramref name="done"/> of <paramref name="total"/> are done. Nothing is under way.</summary>
    /// <exception cref="UserErrorException">It has been called off.</exception>
    public void Report(string what, long done, long total)
    {
        (_what, _done, _total) = (what, done, total);
        if (isCalledOff?.Invoke() == true)
            throw new UserErrorException("interrupted: nothing has been written back yet; start again to go on");
        Repeat();
    }

    /// <summary>The same once more: it goes on.</summary>
    public void Repeat()
    {
        if (_total > 0) progress?.Invoke(_what, _done, _total);
    }

    /// <summary>All of them are done.</summary>
    public void End() => _total = 0;
}

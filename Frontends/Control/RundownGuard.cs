using System;
using System.Threading;
using Weir.Core.Base;

namespace Weir.Frontends.Control;

/// <summary>
/// Between the conversations on the control socket and the end of the volume they are about: nobody enters once it is
/// closed, and whoever closes it waits until all have left, or leaves the volume to them. Orders that take their time
/// look at <see cref="IsClosing"/>.
/// </summary>
internal sealed class RundownGuard
{
    private readonly object _turnstile = new();
    private int _visitors;
    private bool _isClosed;
    private volatile bool _isClosing;

    /// <summary>The program stops: nothing new begins, and nobody waits for anything that may not end.</summary>
    public bool IsClosing => _isClosing;

    /// <summary>See <see cref="IsClosing"/>. Whoever only looks still may.</summary>
    public void Announce() => _isClosing = true;

    /// <summary>Runs <paramref name="visit"/> while the volume is there.</summary>
    /// <exception cref="UserErrorException">It is not there any more.</exception>
    public string Visit(Func<string> visit)
    {
        Enter();
        try
        {
            return visit();
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>
    /// Nobody will be within any more. True when nobody is; false when somebody still is after
    /// <paramref name="patienceMs"/> ms, held up by a device that hangs.
    /// </summary>
    public bool Close(int patienceMs)
    {
        Announce();
        long endMs = Environment.TickCount64 + patienceMs;
        lock (_turnstile)
        {
            _isClosed = true;
            while (_visitors > 0)
            {
                long leftMs = endMs - Environment.TickCount64;
                if (leftMs <= 0) return false;
                Monitor.Wait(_turnstile, (int)leftMs);
            }
            return true;
        }
    }

    private void Enter()
    {
        lock (_turnstile)
        {
            if (_isClosed) throw new UserErrorException("stopping");
            _visitors++;
        }
    }

    private void Leave()
    {
        lock (_turnstile)
        {
            _visitors--;
            Monitor.PulseAll(_turnstile);
        }
    }
}

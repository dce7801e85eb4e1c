using System;
using System.Threading;
using Weir.Core.Base;

namespace Weir.Frontends.Control;

/// <summary>
/// Between the conversations on the control socket and the end of the volume they are about: nobody enters once it is
/// closed, and whoever closes it waits until all have left. Orders that take their time look at
/// <see cref="IsClosing"/>.
/// </summary>
internal sealed class VolumeDoor
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

    /// <summary>Returns when nobody is within, and nobody will be.</summary>
    public void Close()
    {
        Announce();
        lock (_turnstile)
        {
            _isClosed = true;
            while (_visitors > 0) Monitor.Wait(_turnstile);
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

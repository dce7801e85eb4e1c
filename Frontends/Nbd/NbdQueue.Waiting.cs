namespace Weir.Frontends.Nbd;

// Changes that wait at their export's gate for others of the same sectors, of this queue or another, in order.
internal sealed unsafe partial class NbdQueue
{
    /// <summary>How soon a change comes again that waits for one of another thread.</summary>
    private const long GateRetryUs = 100;

    private Part* _waiting;
    private Part* _lastWaiting;
    private bool _gateLeft;

    /// <summary>Number of the queue.</summary>
    public int Index => _thread!.Index;

    /// <summary>A change of this queue is over: others may go on.</summary>
    public void GateLeft() => _gateLeft = true;

    /// <summary>Lets <paramref name="part"/> come again until it passes.</summary>
    public void Wait(Part* part)
    {
        part->Next = null;
        if (_waiting == null) _waiting = part;
        else _lastWaiting->Next = part;
        _lastWaiting = part;
    }

    private void RetryWaiting()
    {
        _gateLeft = false;
        Part* part = _waiting;
        _waiting = _lastWaiting = null;
        while (part != null)
        {
            Part* next = part->Next;
            if (!_connections[part->Request.FrontendInt]!.TryPass(part)) Wait(part);
            part = next;
        }
    }
}

using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Core.Writeboost.Queue;

/// <summary>A first-in first-out list of requests, linked through <see cref="Request.Next"/>. One thread.</summary>
public unsafe struct RequestList
{
    private Request* _head;
    private Request* _tail;

    /// <summary>Nothing is in it.</summary>
    public readonly bool IsEmpty => _head == null;

    /// <summary>The first, or null.</summary>
    public readonly Request* First => _head;

    /// <summary>Appends.</summary>
    public void Add(Request* request)
    {
        Invariant.Check(request->Next == null);
        if (_tail == null) _head = request; else _tail->Next = request;
        _tail = request;
    }

    /// <summary>Takes the first out, or null.</summary>
    public Request* Take()
    {
        Request* request = _head;
        if (request == null) return null;
        _head = request->Next;
        if (_head == null) _tail = null;
        request->Next = null;
        return request;
    }
}

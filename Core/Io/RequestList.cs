namespace Weir.Core.Io;

/// <summary>Requests in order, linked through <see cref="Request.Next"/>. A mutable struct: never copy it.</summary>
internal unsafe struct RequestList
{
    private Request* _head;
    private Request* _tail;

    /// <summary>Nothing in it.</summary>
    public readonly bool IsEmpty => _head == null;

    /// <summary>The first, or null.</summary>
    public readonly Request* First => _head;

    /// <summary>Adds one at the end.</summary>
    public void Add(Request* request)
    {
        request->Next = null;
        if (_head == null) _head = request; else _tail->Next = request;
        _tail = request;
    }

    /// <summary>Removes the first, or null.</summary>
    public Request* Take()
    {
        Request* first = _head;
        if (first == null) return null;
        _head = first->Next;
        first->Next = null;
        return first;
    }
}

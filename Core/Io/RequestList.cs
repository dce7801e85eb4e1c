using Weir.Core.Base;

namespace Weir.Core.Io;

/// <summary>
/// Requests in order, linked through <see cref="Request.Next"/>, which is null for a request that is in no list: the
/// last one's is a mark. Nobody is in two: who was added to a second would cut the first. A mutable struct: never copy
/// it.
/// </summary>
internal unsafe struct RequestList
{
    private const nint Last = -1;

    private Request* _head;
    private Request* _tail;

    /// <summary>Nothing in it.</summary>
    public readonly bool IsEmpty => _head == null;

    /// <summary>The first, or null.</summary>
    public readonly Request* First => _head;

    /// <summary>Adds one at the end.</summary>
    public void Add(Request* request)
    {
        Invariant.Check(request->Next == null);
        request->Next = (Request*)Last;
        if (_head == null) _head = request; else _tail->Next = request;
        _tail = request;
    }

    /// <summary>Removes the first, or null.</summary>
    public Request* Take()
    {
        Request* first = _head;
        if (first == null) return null;
        _head = first->Next == (Request*)Last ? null : first->Next;
        first->Next = null;
        return first;
    }
}

using System;
using System.Runtime.InteropServices;
using Weir.Core.Base;

namespace Weir.Core.Io;

/// <summary>
/// Operations ordered by <see cref="IoOp.DueUs"/>: a binary heap of fixed capacity, so that adding never allocates.
/// </summary>
internal sealed unsafe class DueHeap : IDisposable
{
    private readonly IoOp** _items;
    private readonly int _capacity;
    private int _count;

    public DueHeap(int capacity)
    {
        _capacity = capacity;
        _items = (IoOp**)NativeMemory.AllocZeroed((nuint)capacity, (nuint)sizeof(IoOp*));
    }

    /// <summary>The earliest due time; <see cref="long.MaxValue"/> when empty.</summary>
    public long NextUs => _count == 0 ? long.MaxValue : _items[0]->DueUs;

    /// <summary>Adds one.</summary>
    public void Add(IoOp* op)
    {
        Invariant.Check(_count < _capacity);
        int at = _count++;
        for (; at > 0; at = (at - 1) / 2)
        {
            IoOp* parent = _items[(at - 1) / 2];
            if (parent->DueUs <= op->DueUs) break;
            _items[at] = parent;
        }
        _items[at] = op;
    }

    /// <summary>Removes the earliest.</summary>
    public IoOp* Take()
    {
        Invariant.Check(_count > 0);
        IoOp* first = _items[0];
        IoOp* moved = _items[--_count];
        int at = 0;
        for (int child = 1; child < _count; child = 2 * at + 1)
        {
            if (child + 1 < _count && _items[child + 1]->DueUs < _items[child]->DueUs) child++;
            if (_items[child]->DueUs >= moved->DueUs) break;
            _items[at] = _items[child];
            at = child;
        }
        _items[at] = moved;
        return first;
    }

    public void Dispose() => NativeMemory.Free(_items);
}

using System;
using System.Runtime.InteropServices;
using Weir.Core.Base;

namespace Weir.Core.Writeboost.Writeback;

/// <summary>One piece of a vectored write, as <c>struct iovec</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct IoVector
{
    /// <summary>First byte.</summary>
    public byte* Base;
    /// <summary>Bytes.</summary>
    public nuint Length;
}

/// <summary>A list of pieces being built.</summary>
public unsafe struct VectorList(IoVector* start)
{
    /// <summary>The pieces.</summary>
    public readonly IoVector* Start = start;

    /// <summary>How many.</summary>
    public int Count { get; private set; }

    /// <summary>Room for one more.</summary>
    public readonly bool HasRoom => Count < VectorPool.VectorsPerList;

    /// <summary>Appends a piece, or lengthens the last one when it goes on in memory.</summary>
    public void Add(byte* bytes, int length)
    {
        if (Count > 0 && Start[Count - 1].Base + Start[Count - 1].Length == bytes)
        {
            Start[Count - 1].Length += (nuint)length;
            return;
        }
        Start[Count++] = new IoVector { Base = bytes, Length = (nuint)length };
    }
}

/// <summary>
/// Memory for the pieces of the writes under way. A list's room is a block, which also serves as scratch.
/// </summary>
public sealed unsafe class VectorPool : IDisposable
{
    /// <summary>Pieces of one write: a block's worth.</summary>
    public const int VectorsPerList = 256;

    /// <summary>Lists: one for each write under way.</summary>
    public const int Count = 32;

    private readonly byte* _memory = (byte*)NativeMemory.AlignedAlloc(Count * Geometry.BlockBytes, Geometry.BlockBytes);
    private readonly int[] _free = new int[Count];
    private int _freeCount = Count;

    /// <summary>All lists free.</summary>
    public VectorPool()
    {
        for (int i = 0; i < Count; i++) _free[i] = i;
    }

    /// <summary>Takes a list; there is one for every write that may be under way.</summary>
    public int Take()
    {
        Invariant.Check(_freeCount > 0);
        return _free[--_freeCount];
    }

    /// <summary>Gives a list back.</summary>
    public void Return(int list) => _free[_freeCount++] = list;

    /// <summary>The list's pieces.</summary>
    public IoVector* At(int list) => (IoVector*)Scratch(list);

    /// <summary>The list's memory as a 4 KiB block.</summary>
    public byte* Scratch(int list) => _memory + ((long)list << Geometry.BlockShift);

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.AlignedFree(_memory);
}

using System;
using System.Runtime.InteropServices;
using Weir.Core.Base;

namespace Weir.Core.Writeboost.Writeback;

/// <summary>
/// Memory for what writes and reads under way cannot do with the batch's own: a room for each of them.
/// </summary>
public sealed unsafe class ScratchPool : IDisposable
{
    /// <summary>Bytes of a room: what a write gathers at most.</summary>
    public const int RoomBytes = 128 << 10;

    /// <summary>Rooms: one for each operation under way.</summary>
    public const int Count = 32;

    private readonly byte* _memory = (byte*)NativeMemory.AlignedAlloc(Count * RoomBytes, Geometry.BlockBytes);
    private readonly int[] _free = new int[Count];
    private int _freeCount = Count;

    /// <summary>All rooms free.</summary>
    public ScratchPool()
    {
        for (int i = 0; i < Count; i++) _free[i] = i;
    }

    /// <summary>Takes a room; there is one for every operation that may be under way.</summary>
    public int Take()
    {
        Invariant.Check(_freeCount > 0);
        return _free[--_freeCount];
    }

    /// <summary>Gives a room back.</summary>
    public void Return(int room) => _free[_freeCount++] = room;

    /// <summary>The room's memory.</summary>
    public byte* At(int room) => _memory + ((long)room * RoomBytes);

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.AlignedFree(_memory);
}

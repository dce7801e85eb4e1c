using System;
using System.Runtime.InteropServices;

namespace Weir.Core.Base;

/// <summary>
/// Rooms of one size for operations under way, on 4 KiB boundaries; all memory is taken at the start. One thread; empty
/// is back-pressure.
/// </summary>
public sealed unsafe class RoomPool : IDisposable
{
    private const int Alignment = 4096;

    private readonly int _roomBytes;
    private readonly byte* _memory;
    private readonly int[] _free;

    /// <summary>All of <paramref name="count"/> rooms free.</summary>
    public RoomPool(int count, int roomBytes)
    {
        Invariant.Check(roomBytes % Alignment == 0);
        _roomBytes = roomBytes;
        _memory = (byte*)NativeMemory.AlignedAlloc((nuint)count * (nuint)roomBytes, Alignment);
        _free = new int[count];
        for (int i = 0; i < count; i++) _free[i] = i;
        FreeCount = count;
    }

    /// <summary>Free rooms.</summary>
    public int FreeCount { get; private set; }

    /// <summary>
    /// Takes a room. <see cref="FreeCount"/> was asked, or there is one for every operation there may be.
    /// </summary>
    public int Take()
    {
        Invariant.Check(FreeCount > 0);
        return _free[--FreeCount];
    }

    /// <summary>Gives it back.</summary>
    public void Return(int room)
    {
        Invariant.Check((uint)room < (uint)_free.Length && FreeCount < _free.Length);
        _free[FreeCount++] = room;
    }

    /// <summary>Its memory.</summary>
    public byte* At(int room) => _memory + ((long)room * _roomBytes);

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.AlignedFree(_memory);
}

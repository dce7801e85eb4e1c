using System;
using System.Runtime.InteropServices;
using Weir.Core.Base;

namespace Weir.Core.Writeboost.Queue;

/// <summary>
/// A few aligned blocks for reads whose block comes from several places. One thread; empty is back-pressure.
/// </summary>
public sealed unsafe class BouncePool : IDisposable
{
    /// <summary>Blocks: at least one whole merge, enough that a few more can be under way.</summary>
    public const int Count = 128;

    private readonly byte* _blocks = (byte*)NativeMemory.AlignedAlloc(
        (nuint)Count * Geometry.BlockBytes, Geometry.BlockBytes);
    private readonly int[] _free = new int[Count];

    /// <summary>All blocks free.</summary>
    public BouncePool()
    {
        for (int i = 0; i < Count; i++) _free[i] = i;
        FreeCount = Count;
    }

    /// <summary>Free blocks.</summary>
    public int FreeCount { get; private set; }

    /// <summary>Takes a block. <see cref="FreeCount"/> was asked.</summary>
    public int Take()
    {
        Invariant.Check(FreeCount > 0);
        return _free[--FreeCount];
    }

    /// <summary>Gives it back.</summary>
    public void Return(int block)
    {
        Invariant.Check((uint)block < Count);
        _free[FreeCount++] = block;
    }

    /// <summary>Its 4 KiB.</summary>
    public byte* Data(int block) => _blocks + ((long)block << Geometry.BlockShift);

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.AlignedFree(_blocks);
}

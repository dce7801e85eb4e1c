using System;
using System.Runtime.InteropServices;
using Weir.Core.Base;

namespace Weir.Core.Writeboost.Queue;

/// <summary>
/// A few aligned blocks for reads whose block comes from several places, each to be laid over the request's own bytes
/// when everything below has been read. One thread; empty is back-pressure.
/// </summary>
public sealed unsafe class BouncePool : IDisposable
{
    /// <summary>Blocks: at least one whole merge, enough that a few more can be under way.</summary>
    public const int Count = 128;

    private readonly byte* _blocks = (byte*)NativeMemory.AlignedAlloc(
        (nuint)Count * Geometry.BlockBytes, Geometry.BlockBytes);
    private readonly int[] _free = new int[Count];
    private readonly Overlay[] _overlays = new Overlay[Count];

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

    /// <summary>
    /// Takes a block whose <paramref name="sectors"/> go to <paramref name="target"/> later, and puts it before the
    /// list <paramref name="first"/> (0: empty).
    /// </summary>
    public byte* TakeOverlay(ref int first, byte* target, byte sectors)
    {
        int block = Take();
        _overlays[block] = new Overlay { Target = target, Sectors = sectors, Next = first };
        first = block + 1;
        return Data(block);
    }

    /// <summary>
    /// Empties the list <paramref name="first"/>, laying its sectors over their targets if <paramref name="apply"/>.
    /// </summary>
    public void EndOverlays(ref int first, bool apply)
    {
        for (; first != 0; first = _overlays[first - 1].Next)
        {
            ref Overlay overlay = ref _overlays[first - 1];
            if (apply) SectorMask.Copy(overlay.Target, Data(first - 1), overlay.Sectors);
            Return(first - 1);
        }
    }

    /// <summary>Its 4 KiB.</summary>
    public byte* Data(int block) => _blocks + ((long)block << Geometry.BlockShift);

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.AlignedFree(_blocks);

    private struct Overlay
    {
        public byte* Target;
        public byte Sectors;
        public int Next;
    }
}

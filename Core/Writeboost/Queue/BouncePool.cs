using System;
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

    private readonly BufferPool _blocks = new(Count, Geometry.BlockBytes);
    private readonly Overlay[] _overlays = new Overlay[Count];

    /// <summary>Free blocks.</summary>
    public int FreeCount => _blocks.FreeCount;

    /// <summary>
    /// Takes a block whose <paramref name="sectors"/> go to <paramref name="target"/> later, and puts it before the
    /// list <paramref name="first"/> (0: empty).
    /// </summary>
    public byte* TakeOverlay(ref int first, byte* target, byte sectors)
    {
        int block = _blocks.Take();
        _overlays[block] = new Overlay { Target = target, Sectors = sectors, Next = first };
        first = block + 1;
        return _blocks.At(block);
    }

    /// <summary>
    /// Empties the list <paramref name="first"/>, laying its sectors over their targets if <paramref name="apply"/>.
    /// </summary>
    public void EndOverlays(ref int first, bool apply)
    {
        for (; first != 0; first = _overlays[first - 1].Next)
        {
            ref Overlay overlay = ref _overlays[first - 1];
            if (apply) SectorMask.Copy(overlay.Target, _blocks.At(first - 1), overlay.Sectors);
            _blocks.Return(first - 1);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _blocks.Dispose();

    private struct Overlay
    {
        public byte* Target;
        public byte Sectors;
        public int Next;
    }
}

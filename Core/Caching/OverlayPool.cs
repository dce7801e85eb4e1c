using System;
using Weir.Core.Base;

namespace Weir.Core.Caching;

/// <summary>
/// A few aligned blocks for reads whose block comes from several places, each to be laid over the request's own bytes
/// when everything below has been read. One thread; empty is back-pressure.
/// </summary>
/// <param name="count">Blocks: at least one whole merge, enough that a few more can be under way.</param>
/// <param name="blockBytes">Bytes of each, of at most 64 sectors.</param>
internal sealed unsafe class OverlayPool(int count, int blockBytes) : IDisposable
{
    private readonly BufferPool _blocks = new(count, blockBytes);
    private readonly Overlay[] _overlays = new Overlay[count];

    /// <summary>Free blocks.</summary>
    public int FreeCount => _blocks.FreeCount;

    /// <summary>
    /// Takes a block whose <paramref name="sectors"/> go to <paramref name="target"/> later, and puts it before the
    /// list <paramref name="first"/> (0: empty).
    /// </summary>
    public byte* Take(ref int first, byte* target, ulong sectors)
    {
        int block = _blocks.Take();
        _overlays[block] = new Overlay { Target = target, Sectors = sectors, Next = first };
        first = block + 1;
        return _blocks.At(block);
    }

    /// <summary>
    /// Empties the list <paramref name="first"/>, laying its sectors over their targets if <paramref name="apply"/>.
    /// </summary>
    public void End(ref int first, bool apply)
    {
        for (; first != 0; first = _overlays[first - 1].Next)
        {
            ref Overlay overlay = ref _overlays[first - 1];
            if (apply) SectorRuns.Copy(overlay.Target, _blocks.At(first - 1), overlay.Sectors);
            _blocks.Return(first - 1);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _blocks.Dispose();

    private struct Overlay
    {
        public byte* Target;
        public ulong Sectors;
        public int Next;
    }
}

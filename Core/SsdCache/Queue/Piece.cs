using System.Runtime.InteropServices;
using Weir.Core.Base;
using Weir.Core.SsdCache.Format;

namespace Weir.Core.SsdCache.Queue;

/// <summary>A block that a piece of a request touches.</summary>
internal struct PieceBlock
{
    /// <summary>Its way, which is pinned; -1: it is not cached.</summary>
    public int Slot;
    /// <summary>Its number, from the piece's first block on.</summary>
    public ushort Index;
    /// <summary>What the lookup has found.</summary>
    public LookupResult Result;
    /// <summary>What is done; <see cref="WriterFlag"/> beside it.</summary>
    private byte _action;

    private const byte WriterFlag = 128;

    /// <summary>What is done.</summary>
    public LookupAction Action
    {
        readonly get => (LookupAction)(_action & ~WriterFlag);
        set => _action = (byte)((byte)value | (_action & WriterFlag));
    }

    /// <summary>The way counts it among its writers (<see cref="Sets.SetTable.BeginWrite"/>).</summary>
    public bool IsWriter
    {
        readonly get => (_action & WriterFlag) != 0;
        set => _action = (byte)(value ? _action | WriterFlag : _action & ~WriterFlag);
    }
}

/// <summary>
/// As much of a request as is looked up at once: neighbouring blocks, and where they are. Of what is zeroed only the
/// blocks that are cached.
/// </summary>
internal unsafe struct Piece
{
    /// <summary>Blocks with something to remember, and all blocks of a piece that becomes zeroes.</summary>
    public const int MaxBlocks = 32, MaxZeroedBlocks = 1024;

    /// <summary>Most bytes of a read or a write.</summary>
    public const int MaxBytes = 1 << 20;

    /// <summary>First byte on the volume.</summary>
    public long Offset;
    /// <summary>Bytes.</summary>
    public long Length;
    /// <summary>Bytes whose operations have been submitted, of the pass under way.</summary>
    public long Cursor;
    /// <summary>Number of its first block.</summary>
    public uint FirstBlock;
    /// <summary>Blocks that are remembered.</summary>
    public int Count;
    /// <summary>Sectors to be laid over what home has, see <see cref="Caching.OverlayPool"/>; 0: none.</summary>
    public int Overlays;
    /// <summary>The pass that goes to the cache: writes go home first.</summary>
    public bool IsCachePass;

    private fixed ulong _blocks[MaxBlocks];

    /// <summary>What is remembered of a block.</summary>
    public ref PieceBlock this[int index]
    {
        get
        {
            Invariant.Check((uint)index < MaxBlocks);
            Invariant.Check(sizeof(PieceBlock) == sizeof(ulong));
            fixed (ulong* blocks = _blocks) return ref *(PieceBlock*)&blocks[index];
        }
    }

    /// <summary>One byte behind it.</summary>
    public readonly long End => Offset + Length;

    /// <summary>First sector of the piece in that block, and how many it has there.</summary>
    public readonly (int First, int Count) SectorsOf(in PieceBlock it, SsdGeometry geometry)
    {
        long start = ((long)FirstBlock + it.Index) << geometry.BlockShift;
        long from = System.Math.Max(start, Offset), to = System.Math.Min(start + geometry.BlockBytes, End);
        return ((int)((from - start) / SsdGeometry.SectorBytes), (int)((to - from) / SsdGeometry.SectorBytes));
    }
}

/// <summary>The pieces of one thread; empty is back-pressure.</summary>
internal sealed unsafe class PiecePool : System.IDisposable
{
    private readonly Piece* _pieces;
    private readonly ushort[] _free;
    private int _freeCount;

    /// <summary>All of <paramref name="count"/> free.</summary>
    public PiecePool(int count)
    {
        _pieces = (Piece*)NativeMemory.AlignedAlloc((nuint)(count * sizeof(Piece)), 64);
        _free = new ushort[count];
        for (int i = 0; i < count; i++) _free[_freeCount++] = (ushort)(i + 1);
    }

    /// <summary>The number of a piece, from 1 on; 0: none is free.</summary>
    public ushort Take() => _freeCount == 0 ? (ushort)0 : _free[--_freeCount];

    /// <summary>Gives it back.</summary>
    public void Return(ushort number)
    {
        Invariant.Check(number > 0 && _freeCount < _free.Length);
        _free[_freeCount++] = number;
    }

    /// <summary>The piece of that number.</summary>
    public Piece* this[ushort number] => &_pieces[number - 1];

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.AlignedFree(_pieces);
}

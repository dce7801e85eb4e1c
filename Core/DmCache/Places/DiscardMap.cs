using System;
using System.Runtime.InteropServices;
using System.Threading;
using Weir.Core.Base;

namespace Weir.Core.DmCache.Places;

/// <summary>
/// Which pieces of the backing device are discarded, and read as zeroes there: a block of them need not be copied when
/// it is brought in. A piece is a cache block, doubled until there are few enough of them (the kernel's discard block).
/// </summary>
/// <remarks>
/// Protocol. A piece is marked by who has the locks of all its blocks, after home reads as zeroes. Who writes a block
/// has its lock, and takes the mark away before the write begins. Bits are changed atomically: those beside them are
/// other pieces'. The durable marks are those of an orderly stop, and are gone while a volume is served (B10).
/// </remarks>
internal sealed unsafe class DiscardMap : IDisposable
{
    /// <summary>Pieces at most (seed 002, L7867).</summary>
    public const int MaxPieces = 1 << 14;

    private const int WordBits = 64;

    private readonly ulong* _words;
    private readonly long _blocksPerPiece;
    private readonly long _homes;

    /// <summary>Nothing is discarded.</summary>
    public DiscardMap(in CacheGeometry geometry, long backingBytes)
    {
        _homes = geometry.Homes;
        _blocksPerPiece = 1;
        while (PiecesOf(backingBytes, geometry.BlockBytes * _blocksPerPiece) > MaxPieces) _blocksPerPiece <<= 1;
        PieceBytes = geometry.BlockBytes * _blocksPerPiece;
        Pieces = PiecesOf(backingBytes, PieceBytes);
        WordCount = (int)((Pieces + WordBits - 1) / WordBits);
        _words = (ulong*)NativeMemory.AllocZeroed((nuint)WordCount, sizeof(ulong));
    }

    /// <summary>Bytes of a piece.</summary>
    public long PieceBytes { get; }

    /// <summary>How many there are; the last may not be whole.</summary>
    public long Pieces { get; }

    /// <summary>Words of 64 pieces each.</summary>
    public int WordCount { get; }

    /// <summary>Those of a word; a bit for each.</summary>
    public ulong this[int word]
    {
        get => Volatile.Read(ref _words[word]);
        set => Volatile.Write(ref _words[word], value);
    }

    /// <summary>The block reads as zeroes at home.</summary>
    public bool IsDiscarded(long home)
    {
        if (home >= _homes) return false;
        long piece = home / _blocksPerPiece;
        return ((Volatile.Read(ref _words[piece / WordBits]) >> (int)(piece % WordBits)) & 1) != 0;
    }

    /// <summary>A range reads as zeroes at home: the whole pieces in it are marked.</summary>
    public void Mark(long offsetBytes, long lengthBytes)
    {
        long first = (offsetBytes + PieceBytes - 1) / PieceBytes;
        long end = (offsetBytes + lengthBytes) / PieceBytes;
        for (long piece = first; piece < end; piece++)
            Interlocked.Or(ref _words[piece / WordBits], 1UL << (int)(piece % WordBits));
    }

    /// <summary>The block is about to be written.</summary>
    public void NoteWrite(long home)
    {
        if (!IsDiscarded(home)) return;
        long piece = home / _blocksPerPiece;
        Interlocked.And(ref _words[piece / WordBits], ~(1UL << (int)(piece % WordBits)));
    }

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.Free(_words);

    private static long PiecesOf(long bytes, long pieceBytes)
    {
        Invariant.Check(pieceBytes > 0);
        return (bytes + pieceBytes - 1) / pieceBytes;
    }
}

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

    private ulong* _words;
    private long _blocksPerPiece;
    private long _homes;

    /// <summary>Nothing is discarded.</summary>
    public DiscardMap(in CacheGeometry geometry, long backingBytes) => Grow(geometry, backingBytes);

    /// <summary>Bytes of a piece.</summary>
    public long PieceBytes { get; private set; }

    /// <summary>How many there are; the last may not be whole.</summary>
    public long Pieces { get; private set; }

    /// <summary>Words of 64 pieces each.</summary>
    public int WordCount { get; private set; }

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

    /// <summary>
    /// Another size. What was marked stays so where pieces stay what they are; else none is: a mark saves a copy, and
    /// nothing else. Nobody else is at work in it.
    /// </summary>
    public void Grow(in CacheGeometry geometry, long backingBytes)
    {
        long perPiece = 1;
        while (PiecesOf(backingBytes, geometry.BlockBytes * perPiece) > MaxPieces) perPiece <<= 1;
        long pieces = PiecesOf(backingBytes, geometry.BlockBytes * perPiece);
        int words = (int)((pieces + WordBits - 1) / WordBits);
        // The last piece was not whole, and is no more what it was.
        bool keeps = perPiece == _blocksPerPiece && words >= WordCount;
        if (!keeps) NativeMemory.Clear(_words, (nuint)WordCount * sizeof(ulong));
        GrownMemory.Grow(ref _words, Math.Min(WordCount, words), words);
        (_homes, _blocksPerPiece) = (geometry.Homes, perPiece);
        (PieceBytes, Pieces, WordCount) = (geometry.BlockBytes * perPiece, pieces, words);
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

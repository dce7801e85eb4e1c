using System;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Weir.Core.DmCache.Policies.Structures;

/// <summary>A bit for each place, and the search for the next one that is set: 256 places at a time.</summary>
internal unsafe struct PlaceBits : IDisposable
{
    private const int WordBits = 64, WordShift = 6, VectorWords = 4;

    private readonly uint _places;
    private Cells<ulong> _words;

    /// <summary>All clear.</summary>
    public PlaceBits(uint places)
    {
        _places = places;
        _words = new Cells<ulong>(((long)places + WordBits - 1) >> WordShift);
    }

    /// <summary>Bytes that they take.</summary>
    public readonly long MemoryBytes => _words.SizeBytes;

    /// <summary>It is set.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly bool Has(uint place) => (_words[place >> WordShift] >> (int)(place & (WordBits - 1)) & 1) != 0;

    /// <summary>Sets it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Set(uint place) => _words[place >> WordShift] |= 1UL << (int)(place & (WordBits - 1));

    /// <summary>Clears it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Clear(uint place) => _words[place >> WordShift] &= ~(1UL << (int)(place & (WordBits - 1)));

    /// <summary>Clears all.</summary>
    public readonly void ClearAll() => new Span<ulong>(_words.Start, (int)_words.Count).Clear();

    /// <summary>How many are set.</summary>
    public readonly long Count()
    {
        long count = 0;
        for (uint i = 0; i < _words.Count; i++) count += BitOperations.PopCount(_words[i]);
        return count;
    }

    /// <summary>The first that is set from <paramref name="from"/> on; the number of places: none.</summary>
    public readonly uint NextSet(uint from)
    {
        if (from >= _places) return _places;
        uint word = from >> WordShift;
        ulong found = _words[word] & (ulong.MaxValue << (int)(from & (WordBits - 1)));
        if (found == 0) word = NextWord(_words.Start, word + 1, (uint)_words.Count);
        if (word == _words.Count) return _places;
        if (found == 0) found = _words[word];
        return (word << WordShift) + (uint)BitOperations.TrailingZeroCount(found);
    }

    /// <inheritdoc/>
    public void Dispose() => _words.Dispose();

    /// <summary>The first word that is not zero, of those from <paramref name="from"/> on.</summary>
    internal static uint NextWord(ulong* words, uint from, uint end)
    {
        if (Vector256.IsHardwareAccelerated)
            while (from + VectorWords <= end && Vector256.Load(words + from) == Vector256<ulong>.Zero)
                from += VectorWords;
        return NextWordScalar(words, from, end);
    }

    /// <summary>The same, word by word.</summary>
    internal static uint NextWordScalar(ulong* words, uint from, uint end)
    {
        while (from < end && words[from] == 0) from++;
        return from;
    }
}

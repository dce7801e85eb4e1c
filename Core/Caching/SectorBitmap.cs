using System.Numerics;
using System.Runtime.Intrinsics.X86;
using Weir.Core.Base;

namespace Weir.Core.Caching;

/// <summary>
/// A bit for each sector of a block of 4 KiB to 1 MiB: which are valid, dirty, or under way. A view of words that lie
/// in the caller's memory; bits behind the last sector are 0 and stay so. Nothing is atomic.
/// </summary>
/// <remarks>
/// Up to 128 sectors are a word or two, plain code; from 256 on (blocks of 128 KiB), four words at a time are a vector,
/// and the part of a range that lies in them is a mask made without branches. Each vector form has a scalar twin.
/// </remarks>
internal readonly unsafe partial struct SectorBitmap
{
    /// <summary>Sectors of the smallest and the largest block.</summary>
    public const int SectorsMin = 8, SectorsMax = 2048;

    private const int WordBits = 64, WordShift = 6;

    private readonly ulong* _words;
    private readonly int _wordCount;

    /// <summary>
    /// The bits at <paramref name="words"/>, of <paramref name="sectors"/> sectors, a power of two.
    /// </summary>
    public SectorBitmap(ulong* words, int sectors)
    {
        Invariant.Check(BitOperations.IsPow2(sectors));
        Invariant.Check(sectors is >= SectorsMin and <= SectorsMax);
        _words = words;
        _wordCount = WordsFor(sectors);
        SectorCount = sectors;
    }

    /// <summary>Sectors of the block.</summary>
    public int SectorCount { get; }

    /// <summary>None is set.</summary>
    public bool IsEmpty => !Any(0, SectorCount);

    /// <summary>All are set.</summary>
    public bool IsFull => All(0, SectorCount);

    /// <summary>How many are set.</summary>
    public int SetCount
    {
        get
        {
            int count = 0;
            for (int i = 0; i < _wordCount; i++) count += BitOperations.PopCount(_words[i]);
            return count;
        }
    }

    private bool IsWide => Avx2.IsSupported && _wordCount >= VectorWords;

    /// <summary>Words for so many sectors.</summary>
    public static int WordsFor(int sectors) => (sectors + WordBits - 1) >> WordShift;

    /// <summary>Sets <paramref name="count"/> sectors from <paramref name="first"/> on.</summary>
    public void Set(int first, int count)
    {
        CheckRange(first, count);
        if (IsWide) SetVector(first, first + count);
        else SetScalar(first, first + count);
    }

    /// <summary>Clears them.</summary>
    public void Clear(int first, int count)
    {
        CheckRange(first, count);
        if (IsWide) ClearVector(first, first + count);
        else ClearScalar(first, first + count);
    }

    /// <summary>One of them is set.</summary>
    public bool Any(int first, int count)
    {
        CheckRange(first, count);
        return IsWide ? AnyVector(first, first + count) : AnyScalar(first, first + count);
    }

    /// <summary>All of them are set; of none, that is so.</summary>
    public bool All(int first, int count)
    {
        CheckRange(first, count);
        return IsWide ? AllVector(first, first + count) : AllScalar(first, first + count);
    }

    /// <summary>The first that is set, from <paramref name="from"/> on; <see cref="SectorCount"/>: none.</summary>
    public int NextSet(int from) => Next(from, 0);

    /// <summary>The first that is clear, from <paramref name="from"/> on; <see cref="SectorCount"/>: none.</summary>
    public int NextClear(int from) => Next(from, ulong.MaxValue);

    /// <summary>
    /// The next set ones that are neighbours, from <paramref name="from"/> on. False: there are none.
    /// </summary>
    public bool TryNextRun(int from, out int first, out int count)
    {
        first = NextSet(from);
        count = first == SectorCount ? 0 : NextClear(first) - first;
        return count != 0;
    }

    /// <summary>Sets those that <paramref name="other"/>, of a block of the same size, has.</summary>
    public void Or(SectorBitmap other)
    {
        Invariant.Check(other.SectorCount == SectorCount);
        if (IsWide) OrVector(other._words);
        else OrScalar(other._words);
    }

    /// <summary>Clears those that <paramref name="other"/>, of a block of the same size, has.</summary>
    public void AndNot(SectorBitmap other)
    {
        Invariant.Check(other.SectorCount == SectorCount);
        if (IsWide) AndNotVector(other._words);
        else AndNotScalar(other._words);
    }

    private void CheckRange(int first, int count)
    {
        Invariant.Check(count >= 0 && count <= SectorCount);
        Invariant.Check((uint)first <= (uint)(SectorCount - count));
    }

    // Word by word: the first one that is not all as the skipped ones, and there the first bit that differs.
    private int Next(int from, ulong skipped)
    {
        if (from >= SectorCount) return SectorCount;
        int word = from >> WordShift;
        ulong found = (_words[word] ^ skipped) & (ulong.MaxValue << (from & (WordBits - 1)));
        while (found == 0 && ++word < _wordCount) found = _words[word] ^ skipped;
        if (found == 0) return SectorCount;
        int sector = (word << WordShift) + BitOperations.TrailingZeroCount(found);
        return sector < SectorCount ? sector : SectorCount;
    }
}

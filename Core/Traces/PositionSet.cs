using System.Numerics;

namespace Weir.Core.Traces;

/// <summary>
/// A set of positions of a trace that knows its largest: bits, and above each 64 words of them a word that says which
/// are not empty, up to a single word. All in a few steps. One thread.
/// </summary>
internal sealed class PositionSet
{
    private const int WordBits = 64, LogWordBits = 6;

    private readonly ulong[][] _levels;

    /// <summary>An empty one for positions below <paramref name="count"/>.</summary>
    public PositionSet(long count)
    {
        int levels = 1;
        for (long left = count; left > WordBits; left = WordsFor(left)) levels++;
        _levels = new ulong[levels][];
        for (int i = 0; i < levels; i++) _levels[i] = new ulong[WordsFor(count = i == 0 ? count : WordsFor(count))];
    }

    /// <summary>How many there are.</summary>
    public long Count { get; private set; }

    /// <summary>Is it one of them?</summary>
    public bool Contains(long position) =>
        (_levels[0][position >> LogWordBits] >> (int)(position & (WordBits - 1)) & 1) != 0;

    /// <summary>One more, which it was not.</summary>
    public void Add(long position)
    {
        Count++;
        foreach (ulong[] level in _levels)
        {
            ref ulong word = ref level[position >> LogWordBits];
            bool wasEmpty = word == 0;
            word |= 1UL << (int)(position & (WordBits - 1));
            if (!wasEmpty) return;
            position >>= LogWordBits;
        }
    }

    /// <summary>One less, which it was.</summary>
    public void Remove(long position)
    {
        Count--;
        foreach (ulong[] level in _levels)
        {
            ref ulong word = ref level[position >> LogWordBits];
            word &= ~(1UL << (int)(position & (WordBits - 1)));
            if (word != 0) return;
            position >>= LogWordBits;
        }
    }

    /// <summary>The largest; there is one.</summary>
    public long Largest()
    {
        long position = 0;
        for (int i = _levels.Length - 1; i >= 0; i--)
            position = (position << LogWordBits) | (uint)BitOperations.Log2(_levels[i][position]);
        return position;
    }

    private static long WordsFor(long bits) => (bits + WordBits - 1) >> LogWordBits;
}

using System;
using Weir.Core.Base;

namespace Weir.Core.Metadata.Persistent;

/// <summary>
/// Bits on disk (persistent-data: <c>dm_bitset</c>): an array of 64-bit words, bit i being bit i mod 64, from the
/// lowest on, of word i / 64. Those past the end are zero.
/// </summary>
internal sealed unsafe class Bitset(PersistentArray words, long bits)
{
    private const int WordBits = 64;

    /// <summary>Bits.</summary>
    public long Bits { get; private set; } = bits;

    /// <summary>The words.</summary>
    public PersistentArray Words => words;

    /// <summary>Words for as many bits.</summary>
    public static long WordsOf(long bits) => (bits + WordBits - 1) / WordBits;

    /// <summary>A new one without bits.</summary>
    public static Bitset Create(Transaction transaction) =>
        new(PersistentArray.Create(transaction, sizeof(ulong)), 0);

    /// <summary>The bits of <paramref name="word"/> that count.</summary>
    public ulong MaskOf(long word)
    {
        long bits = Bits - word * WordBits;
        Invariant.Check(bits > 0);
        return bits >= WordBits ? ulong.MaxValue : (1UL << (int)bits) - 1;
    }

    /// <summary>Sets 64 of them; false: a block is missing.</summary>
    public bool TrySet(long word, ulong value)
    {
        Invariant.Check((value & ~MaskOf(word)) == 0);
        if (!words.TryChange(word, out byte* entry)) return false;
        *(ulong*)entry = value;
        return true;
    }

    /// <summary>Another number of bits; new ones are zero. False: a block is missing.</summary>
    public bool TryResize(long bits)
    {
        if (bits == Bits) return true;
        if (!words.TryResize(WordsOf(bits))) return false;
        long kept = Math.Min(bits, Bits);
        if (kept % WordBits != 0)
        {
            // What another writer may have left past the end does not come to life when that is moved.
            if (!words.TryChange(kept / WordBits, out byte* entry)) return false;
            *(ulong*)entry &= (1UL << (int)(kept % WordBits)) - 1;
        }
        Bits = bits;
        return true;
    }
}

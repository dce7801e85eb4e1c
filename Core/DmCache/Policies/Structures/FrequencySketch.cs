using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Weir.Core.Base;

namespace Weir.Core.DmCache.Policies.Structures;

/*
 *   block, 64 bytes:   | row 0: 2 words | row 1: 2 words | row 2: 2 words | row 3: 2 words |     16 counters a word
 */

/// <summary>
/// How often homes were asked for of late, about: four counters of four bits for each, in one cache line; the smallest
/// of them is the estimate, and only those that are as small grow. All are halved after ten times as many requests as
/// there are places (Einziger, Friedman, Manes: TinyLFU, ACM ToS 2017; the counters of one home share a line as in
/// Caffeine). Twice the memory would save one miss in a hundred.
/// </summary>
internal unsafe struct FrequencySketch : IDisposable
{
    /// <summary>The most that is counted.</summary>
    public const uint Max = 15;

    private const int BlockWords = 8, Rows = 4, VectorWords = 4;
    private const uint PlacesOfBlock = 16, SamplesOfPlace = 10;
    private const ulong Halved = 0x7777777777777777;

    private readonly uint _blocks;
    private readonly long _sampleSize;
    private Cells<ulong> _words;
    private long _samples;

    /// <summary>For a cache of so many places: four bytes for each.</summary>
    public FrequencySketch(uint places)
    {
        _blocks = (places + PlacesOfBlock - 1) / PlacesOfBlock;
        _sampleSize = (long)places * SamplesOfPlace;
        _words = new Cells<ulong>((long)_blocks * BlockWords);
    }

    /// <summary>Bytes that it takes.</summary>
    public readonly long MemoryBytes => _words.SizeBytes;

    /// <summary>How often, about.</summary>
    public readonly uint Estimate(uint id) => Least(BlockOf(id, out uint hash), hash);

    /// <summary>Once more: those of its counters grow that say no more than the estimate.</summary>
    public void Add(uint id)
    {
        ulong* block = BlockOf(id, out uint hash);
        uint least = Least(block, hash);
        if (least == Max) return;
        Grow(block, hash, 0, least);
        Grow(block, hash, 1, least);
        Grow(block, hash, 2, least);
        Grow(block, hash, 3, least);
        if (++_samples >= _sampleSize) HalveAll();
    }

    /// <summary>It was asked for that often.</summary>
    public readonly void AtLeast(uint id, uint count)
    {
        ulong* block = BlockOf(id, out uint hash);
        count = Math.Min(count, Max);
        for (int row = 0; row < Rows; row++)
        {
            ulong* word = WordOf(block, hash, row);
            int shift = ShiftOf(hash, row);
            uint more = count - Math.Min(count, (uint)(*word >> shift) & Max);
            *word += (ulong)more << shift;
        }
    }

    /// <summary>Halves counters of four bits.</summary>
    internal static void Halve(ulong* words, long count)
    {
        long i = 0;
        Vector256<ulong> halved = Vector256.Create(Halved);
        if (Vector256.IsHardwareAccelerated)
            for (; i + VectorWords <= count; i += VectorWords)
                ((Vector256.Load(words + i) >> 1) & halved).Store(words + i);
        HalveScalar(words + i, count - i);
    }

    /// <summary>The same, word by word.</summary>
    internal static void HalveScalar(ulong* words, long count)
    {
        for (long i = 0; i < count; i++) words[i] = (words[i] >> 1) & Halved;
    }

    /// <inheritdoc/>
    public void Dispose() => _words.Dispose();

    private void HalveAll()
    {
        if (Mutant.Is(PolicyMutant.SketchNotHalved)) return;
        Halve(_words.Start, _words.Count);
        _samples /= 2;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Least(ulong* block, uint hash)
    {
        uint first = Math.Min(CounterOf(block, hash, 0), CounterOf(block, hash, 1));
        return Math.Min(first, Math.Min(CounterOf(block, hash, 2), CounterOf(block, hash, 3)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint CounterOf(ulong* block, uint hash, int row) =>
        (uint)(*WordOf(block, hash, row) >> ShiftOf(hash, row)) & Max;

    // Without a branch: which of them grow cannot be foreseen.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Grow(ulong* block, uint hash, int row, uint least)
    {
        byte more = Unsafe.BitCast<bool, byte>(CounterOf(block, hash, row) == least);
        *WordOf(block, hash, row) += (ulong)more << ShiftOf(hash, row);
    }

    // The upper half of 64 mixed bits chooses the block, the lower one the counters.
    private readonly ulong* BlockOf(uint id, out uint hash)
    {
        ulong mixed = (id + 1UL) * 0x9E3779B97F4A7C15;
        mixed = (mixed ^ (mixed >> 32)) * 0xD6E8FEB86659FD93;
        mixed ^= mixed >> 32;
        hash = (uint)mixed;
        return _words.Start + ((nuint)HomeId.Bucket((uint)(mixed >> 32), _blocks) * BlockWords);
    }

    // Of each row five bits of the hash choose a word of two, and a counter of sixteen.
    private static ulong* WordOf(ulong* block, uint hash, int row) => block + (row * 2) + ((hash >> (row * 8)) & 1);

    private static int ShiftOf(uint hash, int row) => (int)((hash >> ((row * 8) + 1)) & 15) << 2;
}

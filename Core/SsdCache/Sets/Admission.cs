using System;
using System.Runtime.InteropServices;
using System.Threading;
using Weir.Core.Base;

namespace Weir.Core.SsdCache.Sets;

/// <summary>Which blocks that were read at home come in.</summary>
internal enum AdmitRule
{
    /// <summary>All.</summary>
    Always,
    /// <summary>Those that were read before, not too long ago.</summary>
    SecondRead,
    /// <summary>None.</summary>
    Never,
}

/*
 *   bucket, 64 bits:   | oldest: 16 bits of a hash | ... | ... | newest |
 */

/// <summary>
/// Remembers blocks that were read once: of each 16 bits of a hash, in buckets of four of which the oldest goes first,
/// about as many as the cache has places. Another block with the same bits counts as well: one in 8,000.
/// </summary>
/// <remarks>A bucket is one word, read and stored by any thread: what two lose at a time is a first read.</remarks>
internal sealed unsafe class Admission : IDisposable
{
    private const int PerBucket = 4, TagBits = 16;
    private const ulong Lanes = 0x0001000100010001, LaneTops = 0x8000800080008000;

    private readonly ulong* _buckets;
    private readonly uint _count;

    /// <summary>For a cache of so many places: two bytes for each.</summary>
    public Admission(uint places)
    {
        _count = Math.Max(1, places / PerBucket);
        _buckets = (ulong*)NativeMemory.AllocZeroed(_count, sizeof(ulong));
    }

    /// <summary>The rule; set by any thread.</summary>
    public AdmitRule Rule { get; set; }

    /// <summary>Bytes that it takes.</summary>
    public long MemoryBytes => (long)_count * sizeof(ulong);

    /// <summary>The block, which was read and is not cached, may come in.</summary>
    public bool Admits(uint block) => Rule switch
    {
        AdmitRule.Always => true,
        AdmitRule.Never => false,
        _ => WasRead(block),
    };

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.Free(_buckets);

    // It is remembered once, however often it is read: until as many others have come.
    private bool WasRead(uint block)
    {
        ulong state = block;
        ulong hash = Prng.SplitMix(ref state);
        ulong* bucket = _buckets + (uint)(((hash >> 32) * _count) >> 32);
        // 0 is nothing's.
        ulong tag = (ushort)hash | 1u;
        ulong had = Volatile.Read(ref *bucket);
        if (Has(had, tag)) return true;
        Volatile.Write(ref *bucket, (had << TagBits) | tag);
        return false;
    }

    // A lane is zero: whether one is, this tells exactly; not which.
    private static bool Has(ulong bucket, ulong tag)
    {
        ulong differs = bucket ^ (tag * Lanes);
        return ((differs - Lanes) & ~differs & LaneTops) != 0;
    }
}

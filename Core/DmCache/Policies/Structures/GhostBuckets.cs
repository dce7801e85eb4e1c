using System;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Weir.Core.Base;

namespace Weir.Core.DmCache.Policies.Structures;

/*
 *   bucket, 32 bytes:   | tag 0 | tag 1 | ... | tag 14 | hand |      16 bits each; a tag of 0: nothing
 */

/// <summary>
/// Homes that were cached a while ago, the newest so many, about: sixteen bits each, in buckets of fifteen that
/// forget their oldest one when a new one comes. One load and one comparison say that a home is not there. Of others
/// it says by mistake in one of some thousand times that they are.
/// </summary>
internal unsafe struct GhostBuckets : IDisposable
{
    /// <summary>Tags in a bucket.</summary>
    public const int Tags = 15;

    private const int BucketCells = 16;
    private readonly uint _buckets;
    private Cells<ushort> _cells;

    /// <summary>For <paramref name="ghosts"/> of them.</summary>
    public GhostBuckets(uint ghosts)
    {
        _buckets = Math.Max(1, (ghosts + Tags - 1) / Tags);
        _cells = new Cells<ushort>((long)_buckets * BucketCells);
    }

    /// <summary>Bytes that it takes.</summary>
    public readonly long MemoryBytes => _cells.SizeBytes;

    /// <summary>It is remembered, as far as one can tell.</summary>
    public readonly bool Contains(uint id)
    {
        uint mixed = HomeId.Mix(id);
        return Match(BucketOf(mixed), TagOf(mixed)) != 0;
    }

    /// <summary>Remembers it. What was longest in its bucket is forgotten for it.</summary>
    public readonly void Add(uint id)
    {
        uint mixed = HomeId.Mix(id);
        ushort* bucket = BucketOf(mixed);
        int hand = bucket[Tags];
        bucket[hand] = TagOf(mixed);
        bucket[Tags] = (ushort)(hand + 1 == Tags ? 0 : hand + 1);
    }

    /// <summary>Forgets it. False: it was not there.</summary>
    public readonly bool Remove(uint id) => Remove(id, out _);

    /// <summary>Forgets it. False: it was not there.</summary>
    /// <param name="id">What stands for its home.</param>
    /// <param name="age">How many fifteenths of all that are remembered have come since, about: 0 to 14.</param>
    public readonly bool Remove(uint id, out int age)
    {
        uint mixed = HomeId.Mix(id);
        ushort* bucket = BucketOf(mixed);
        uint match = Match(bucket, TagOf(mixed));
        age = 0;
        if (match == 0) return false;
        int at = BitOperations.TrailingZeroCount(match);
        bucket[at] = 0;
        age = (bucket[Tags] + Tags - 1 - at) % Tags;
        return true;
    }

    /// <summary>Throws when a hand points nowhere.</summary>
    public readonly void CheckInvariants()
    {
        for (uint i = 0; i < _buckets; i++) Invariant.Check(_cells[(i * BucketCells) + Tags] < Tags);
    }

    /// <summary>The cells of a bucket that hold a tag: a bit for each.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint Match(ushort* bucket, ushort tag) => !Vector256.IsHardwareAccelerated
        ? MatchScalar(bucket, tag)
        : Vector256.Equals(Vector256.Load(bucket), Vector256.Create(tag)).ExtractMostSignificantBits() & TagMask;

    /// <summary>The same, one by one.</summary>
    internal static uint MatchScalar(ushort* bucket, ushort tag)
    {
        uint match = 0;
        for (int i = 0; i < Tags; i++)
            if (bucket[i] == tag) match |= 1u << i;
        return match;
    }

    /// <inheritdoc/>
    public void Dispose() => _cells.Dispose();

    private const uint TagMask = (1u << Tags) - 1;

    // The bucket comes from the upper bits, the tag from the lower.
    private static ushort TagOf(uint mixed) => (ushort)mixed == 0 ? (ushort)1 : (ushort)mixed;

    private readonly ushort* BucketOf(uint mixed) =>
        _cells.Start + ((nuint)HomeId.Bucket(mixed, _buckets) * BucketCells);
}

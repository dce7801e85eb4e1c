using System;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using System.Threading;
using Weir.Core.Base;

namespace Weir.Core.DmCache.Places;

/*
 * A bucket is one cache line:
 *
 *   0        11   12     16                                                60   64
 *   | 11 tags | beyond | latch |   11 places, 4 bytes each               | free |
 *
 * tag      0: the slot is empty; else 7 bits of the home's hash, with the top bit set
 * beyond   entries that have passed this bucket on their way to a later one, because it was full
 */

/// <summary>
/// Finds the place of a home. Readers take no latch and write nothing; a line or two are read.
/// </summary>
/// <remarks>
/// Protocol. The entry of a home is added by whoever has that home's exclusive lock, and looked for by who has any lock
/// of it: so nobody looks for an entry while it comes. It goes when its place is not mapped any more, which is under
/// the lock too, and the durable metadata know it, which is not. Entries never move; a slot whose tag fits is believed
/// only when <see cref="PlaceTable"/> agrees on home and state, so it does not matter what a slot has become. Slots are
/// filled and emptied under the latch of their bucket: the place before the tag. <c>beyond</c> is changed under the
/// latch of the bucket that counts, raised before an entry goes on to the next, lowered after it is gone.
/// </remarks>
internal sealed unsafe class HomeIndex : IDisposable
{
    /// <summary>Bytes of a bucket, and slots in it.</summary>
    public const int BucketBytes = 64, Slots = 11;

    private const int BeyondAt = 11, LatchAt = 12, PlacesAt = 16;

    /// <summary>Slots that are used when every place holds a block, in percent.</summary>
    private const int LoadPercent = 80;

    private const byte MostBeyond = byte.MaxValue;

    private readonly PlaceTable _table;
    private byte* _buckets;
    private uint _count;

    /// <summary>Empty.</summary>
    public HomeIndex(PlaceTable table)
    {
        _table = table;
        Make();
    }

    /// <summary>Bytes of memory.</summary>
    public long MemoryBytes => (long)_count * BucketBytes;

    /// <summary>Where a home is will be asked soon.</summary>
    public void Prefetch(long home) => Sse.Prefetch0(BucketOf(HashOf(home)));

    /// <summary>The place that holds <paramref name="home"/>; -1: none does. Whoever asks has a lock of it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public long Find(long home) => Find(home, PlaceState.Mapped);

    /// <summary>A place that the home has left, and the durable metadata may not know it yet; -1: none.</summary>
    public long FindLeaving(long home) => Find(home, PlaceState.Leaving);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private long Find(long home, PlaceState state)
    {
        ulong hash = HashOf(home);
        byte* bucket = BucketOf(hash);
        long found = FindIn(bucket, hash, home, state);
        return found >= 0 || Volatile.Read(ref bucket[BeyondAt]) == 0 ? found : FindBeyond(bucket, hash, home, state);
    }

    /// <summary><paramref name="place"/> holds its home from now on.</summary>
    public void Add(uint place)
    {
        ulong hash = HashOf(_table.HomeOf(place));
        byte* bucket = BucketOf(hash);
        for (uint passed = 0; !TryAdd(bucket, hash, place); bucket = Next(bucket))
        {
            ChangeBeyond(bucket, 1);
            Invariant.Check(++passed < _count);
        }
    }

    /// <summary><paramref name="place"/> holds its home no more; it did.</summary>
    public void Remove(uint place)
    {
        ulong hash = HashOf(_table.HomeOf(place));
        byte* first = BucketOf(hash);
        byte* bucket = first;
        for (uint passed = 0; !TryRemove(bucket, hash, place); bucket = Next(bucket))
            Invariant.Check(++passed < _count);
        for (byte* passed = first; passed != bucket; passed = Next(passed)) ChangeBeyond(passed, -1);
    }

    /// <summary>The table has become larger, and nothing leaves. Nobody else is at work in it.</summary>
    public void Grow()
    {
        NativeMemory.AlignedFree(_buckets);
        Make();
        for (uint place = 0; place < _table.Places; place++)
            if ((_table.StateOf(place) & PlaceState.Mapped) != 0) Add(place);
    }

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.AlignedFree(_buckets);

    private void Make()
    {
        _count = (uint)Math.Max(2, (_table.Places * 100L / (Slots * LoadPercent)) + 1);
        _buckets = (byte*)NativeMemory.AlignedAlloc((nuint)MemoryBytes, BucketBytes);
        NativeMemory.Clear(_buckets, (nuint)MemoryBytes);
    }

    /// <summary>The scalar twin of the comparison of a bucket's tags.</summary>
    internal static uint MatchScalar(byte* bucket, byte tag)
    {
        uint matches = 0;
        for (int i = 0; i < Slots; i++)
            if (bucket[i] == tag) matches |= 1u << i;
        return matches;
    }

    /// <summary>A bit for each slot of the bucket whose tag is <paramref name="tag"/>.</summary>
    internal static uint Match(byte* bucket, byte tag) =>
        Vector128.Equals(Vector128.LoadAligned(bucket), Vector128.Create(tag)).ExtractMostSignificantBits()
        & ((1u << Slots) - 1);

    private static ulong HashOf(long home)
    {
        ulong hash = (ulong)home * 0x9E3779B97F4A7C15;
        return hash ^ (hash >> 32);
    }

    private static byte TagOf(ulong hash) => (byte)(0x80 | (hash >> 57));

    private byte* BucketOf(ulong hash) => _buckets + (((hash & uint.MaxValue) * _count >> 32) * BucketBytes);

    private byte* Next(byte* bucket) =>
        bucket + BucketBytes == _buckets + MemoryBytes ? _buckets : bucket + BucketBytes;

    private static uint* PlaceAt(byte* bucket, int slot) => (uint*)(bucket + PlacesAt) + slot;

    private static ref SpinLatch LatchOf(byte* bucket) => ref Unsafe.AsRef<SpinLatch>(bucket + LatchAt);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private long FindIn(byte* bucket, ulong hash, long home, PlaceState state)
    {
        for (uint matches = Match(bucket, TagOf(hash)); matches != 0; matches &= matches - 1)
        {
            uint place = Volatile.Read(ref *PlaceAt(bucket, BitOperations.TrailingZeroCount(matches)));
            if (_table.HomeOf(place) == home && (_table.StateOf(place) & state) != 0) return place;
        }
        return -1;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private long FindBeyond(byte* first, ulong hash, long home, PlaceState state)
    {
        long found = -1;
        // In a small table every bucket may have been passed: once around is enough.
        for (byte* bucket = first; found < 0 && Volatile.Read(ref bucket[BeyondAt]) != 0;)
        {
            bucket = Next(bucket);
            if (bucket == first) break;
            found = FindIn(bucket, hash, home, state);
        }
        return found;
    }

    private static bool TryAdd(byte* bucket, ulong hash, uint place)
    {
        ref SpinLatch latch = ref LatchOf(bucket);
        latch.Enter();
        uint free = Match(bucket, 0);
        if (free != 0)
        {
            int slot = BitOperations.TrailingZeroCount(free);
            Volatile.Write(ref *PlaceAt(bucket, slot), place);
            Volatile.Write(ref bucket[slot], TagOf(hash));
        }
        latch.Exit();
        return free != 0;
    }

    private static bool TryRemove(byte* bucket, ulong hash, uint place)
    {
        ref SpinLatch latch = ref LatchOf(bucket);
        bool isFound = false;
        latch.Enter();
        for (uint matches = Match(bucket, TagOf(hash)); matches != 0 && !isFound; matches &= matches - 1)
        {
            int slot = BitOperations.TrailingZeroCount(matches);
            isFound = *PlaceAt(bucket, slot) == place;
            if (isFound) Volatile.Write(ref bucket[slot], 0);
        }
        latch.Exit();
        return isFound;
    }

    private static void ChangeBeyond(byte* bucket, int step)
    {
        ref SpinLatch latch = ref LatchOf(bucket);
        latch.Enter();
        int beyond = bucket[BeyondAt] + step;
        Invariant.Check(beyond is >= 0 and <= MostBeyond);
        Volatile.Write(ref bucket[BeyondAt], (byte)beyond);
        latch.Exit();
    }
}

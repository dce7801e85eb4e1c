using System;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;
using GrowingSlab = Weir.Native.GrowingSlab;

namespace Weir.Core.Writeboost.Index;

/// <content>
/// Buckets: one cache line each, the tags of its twelve places compared in one instruction. Four neighbours, 16 KiB,
/// have the same bucket and different tags; the sixteen buckets of 256 KiB lie side by side, so that a long request
/// goes through them in order. They begin at any of the sixteen, so that whoever uses only the first blocks of each
/// 256 KiB fills all alike.
/// <code>
///  64 bytes: | tag u8 x 12 | latch 1 bit, overflow 31 bits | slot u32 x 12 |      tag 0: the place is empty
/// </code>
/// overflow: number of the bucket that holds what has no place, and so on; 0 = none. Those come from a pool and go back
/// to it. A bucket has overflow only while it is full, and of its overflow all but the first are full: so there are
/// never more of them than a twelfth of the slots, and the memory for that is reserved.
/// Protocol: the latch of a block's own bucket covers its overflow too. A thread that finds the latch free and no
/// overflow in the same 16 bytes as the tags (one load, which processors with AVX do not tear) knows without it that a
/// tag is not there.
/// </content>
public sealed unsafe partial class BlockIndex
{
    /// <summary>Blocks that a bucket holds without overflow.</summary>
    public const int Places = 12;

    /// <summary>Neighbours that have the same bucket.</summary>
    public const int GroupBlocks = 1 << GroupShift;

    // A row: buckets that lie side by side, and the blocks that have them.
    private const int GroupShift = 2, RowShift = 4, RowBlockShift = GroupShift + RowShift, ControlLane = 3;
    private const uint Latch = 0x8000_0000, AllPlaces = (1 << Places) - 1;

    // Blocks for each bucket of a full index: below, it would gain nothing; above, three lines for each look-up.
    private const double LeastLoad = 9, MostLoad = 30;

    private readonly GrowingSlab _bucketMemory;
    private readonly Bucket* _buckets;
    private readonly uint _homeCount;
    private readonly double _overflowShare;
    private SpinLatch _poolLatch;
    private uint _pool;
    private uint _poolEnd;

    /// <summary>Bytes of the buckets: what a full index needs of them, or more if it has needed more.</summary>
    public long BucketBytes =>
        sizeof(Bucket) * Math.Max((long)(_homeCount * (1 + _overflowShare)), Volatile.Read(ref _poolEnd));

    /// <summary>Buckets, overflow apart.</summary>
    internal uint HomeCount => _homeCount;

    /// <summary>
    /// The places of the bucket at <paramref name="bucket"/> with <paramref name="tag"/>, a bit for each.
    /// </summary>
    internal static uint Match(byte* bucket, byte tag) =>
        Vector128.Equals(Vector128.LoadAligned(bucket), Vector128.Create(tag)).ExtractMostSignificantBits() & AllPlaces;

    /// <summary>As <see cref="Match"/>, one by one.</summary>
    internal static uint MatchPortable(byte* bucket, byte tag)
    {
        uint places = 0;
        for (int i = 0; i < Places; i++)
            if (bucket[i] == tag) places |= 1u << i;
        return places;
    }

    /// <summary>
    /// The bucket of block <paramref name="key"/> among <paramref name="homes"/>, whole rows, and its tag there. Keys
    /// are dense and regular: a multiplicative hash spreads them, its lower half times the count of rows picks the row.
    /// </summary>
    internal static uint HomeOf(ulong key, uint homes, out byte tag)
    {
        ulong hash = ((key >> RowBlockShift) ^ (key >> 29)) * 0x9E3779B97F4A7C15;
        hash ^= hash >> 32;
        // Neighbours differ in the upper bits, so that 1 may stand for 0.
        tag = (byte)((hash >> 56) ^ (key << (8 - GroupShift)));
        if (tag == 0) tag = 1;
        uint row = (uint)(Math.BigMul((uint)hash, homes >> RowShift) >> 32);
        uint within = (uint)((key >> GroupShift) + hash) & ((1 << RowShift) - 1);
        return (row << RowShift) + within;
    }

    // Blocks for each bucket when every slot has one: as few as the 16 or 20 bytes that a cached block may cost leave
    // room for. In small segments the segment table and the header slots take their share of these. Striped versions
    // take up to an eighth of a byte.
    private static uint CountHomes(in Geometry geometry, bool keepChecksums, out double overflowShare)
    {
        int slots = geometry.SlotsPerSegment;
        int taken = SegmentTable.BytesPerSegment + (sizeof(Node) * slots) + (slots / 8);
        if (keepChecksums) taken += sizeof(uint) * slots;
        int room = ((keepChecksums ? MaxBytesPerVerifiedBlock : MaxBytesPerBlock) * (slots - 1)) - taken;
        double load = LeastLoad, perSegment;
        while (true)
        {
            overflowShare = Math.Max(OverflowAt(load, 1), OverflowAt(load, GroupBlocks));
            perSegment = (slots - 1) / load;
            if (load >= MostLoad || perSegment * (1 + overflowShare) * sizeof(Bucket) <= room) break;
            load += 0.25;
        }
        return (uint)Math.Max(1, (long)(geometry.SegmentCount * perSegment) >> RowShift) << RowShift;
    }

    // Overflow buckets for each bucket, by Poisson's law of blocks that come in groups.
    private static double OverflowAt(double load, int groupBlocks)
    {
        double mean = load / groupBlocks, at = Math.Exp(-mean), more = 1 - at, sum = 0;
        for (int groups = 1; more > 1e-6; groups++)
        {
            at *= mean / groups;
            more -= at;
            if (groups % (Places / groupBlocks) == 0) sum += more;
        }
        return sum;
    }

    private long BucketsFor(long slots) => _homeCount + (slots / Places) + 1;

    // Of the block there is nothing, at the moment of one load.
    private bool IsAbsent(ulong key)
    {
        byte* home = (byte*)&_buckets[HomeOf(key, _homeCount, out byte tag)];
        // What the caller has seen before, it has seen before.
        Volatile.ReadBarrier();
        Vector128<byte> line = Vector128.LoadAligned(home);
        uint control = line.AsUInt32().GetElement(ControlLane);
        return (control == 0 || Mutant.Is(WriteboostMutant.R10LatchAndOverflowIgnored))
            && (Vector128.Equals(line, Vector128.Create(tag)).ExtractMostSignificantBits() & AllPlaces) == 0;
    }

    private Held Enter(ulong key)
    {
        Held held = new() { Key = key, Home = &_buckets[HomeOf(key, _homeCount, out byte tag)], Tag = tag };
        SpinWait spin = default;
        while (true)
        {
            uint value = Volatile.Read(ref held.Home->Control);
            held.Over = value;
            if ((value & Latch) == 0
                && Interlocked.CompareExchange(ref held.Home->Control, value | Latch, value) == value) return held;
            if (!Interleaving.Yield()) spin.SpinOnce(sleep1Threshold: -1);
        }
    }

    private static void Exit(in Held held) => Volatile.Write(ref held.Home->Control, held.Over);

    // The slots of the block's versions, in no order; room for MaxVersions.
    private int SlotsOf(in Held held, uint* slots)
    {
        int count = 0;
        Bucket* bucket = held.Home;
        for (uint next = held.Over; ; next = bucket->Control)
        {
            for (uint places = Match(bucket->Tags, held.Tag); places != 0; places &= places - 1)
            {
                uint slot = bucket->Slots[BitOperations.TrailingZeroCount(places)];
                if (!_nodes[slot].Is(held.Key)) continue;
                Invariant.Check(count < MaxVersions);
                slots[count++] = slot;
            }
            if (next == 0) return count;
            bucket = &_buckets[next];
        }
    }

    private void Link(ref Held held, uint slot)
    {
        Bucket* bucket = held.Over == 0 ? held.Home : &_buckets[held.Over];
        uint free = Match(bucket->Tags, 0);
        if (free == 0)
        {
            uint taken = TakeOverflow();
            bucket = &_buckets[taken];
            bucket->Control = held.Over;
            held.Over = taken;
            free = AllPlaces;
        }
        int place = BitOperations.TrailingZeroCount(free);
        bucket->Slots[place] = slot;
        bucket->Tags[place] = held.Tag;
    }

    // Its place is filled from the first overflow, which goes when it is empty.
    private void Unlink(ref Held held, uint slot)
    {
        Bucket* bucket = held.Home;
        uint next = held.Over;
        int place;
        while ((place = PlaceOf(bucket, held.Tag, slot)) < 0)
        {
            Invariant.Check(next != 0);
            bucket = &_buckets[next];
            next = bucket->Control;
        }
        bucket->Tags[place] = 0;
        if (held.Over == 0) return;
        Bucket* over = &_buckets[held.Over];
        uint left = ~Match(over->Tags, 0) & AllPlaces;
        if (bucket != over)
        {
            int moved = BitOperations.TrailingZeroCount(left);
            (bucket->Slots[place], bucket->Tags[place]) = (over->Slots[moved], over->Tags[moved]);
            over->Tags[moved] = 0;
            left &= left - 1;
        }
        if (left == 0) held.Over = ReturnOverflow(held.Over);
    }

    private static int PlaceOf(Bucket* bucket, byte tag, uint slot)
    {
        for (uint places = Match(bucket->Tags, tag); places != 0; places &= places - 1)
        {
            int place = BitOperations.TrailingZeroCount(places);
            if (bucket->Slots[place] == slot) return place;
        }
        return -1;
    }

    // An empty one: of those that came back, or one more.
    private uint TakeOverflow()
    {
        _poolLatch.Enter();
        uint taken = _pool;
        if (taken != 0) _pool = _buckets[taken].Control;
        else Volatile.Write(ref _poolEnd, (taken = _poolEnd) + 1);
        _poolLatch.Exit();
        Invariant.Check((taken + 1L) * sizeof(Bucket) <= _bucketMemory.SizeBytes);
        return taken;
    }

    private uint ReturnOverflow(uint bucket)
    {
        uint next = _buckets[bucket].Control;
        _poolLatch.Enter();
        _buckets[bucket].Control = _pool;
        _pool = bucket;
        _poolLatch.Exit();
        return next;
    }

    /// <summary>A bucket whose latch this thread has, for one of its blocks.</summary>
    private struct Held
    {
        public Bucket* Home;
        public ulong Key;
        public uint Over;
        public byte Tag;
    }

    [StructLayout(LayoutKind.Sequential, Size = 64)]
    private struct Bucket
    {
        public fixed byte Tags[Places];
        public uint Control;
        public fixed uint Slots[Places];
    }
}

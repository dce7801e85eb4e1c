using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;

namespace Weir.Core.Writeboost.Queue;

/// <content>What is allocated: logged data, logged ranges, and for the rest what the backing device says.</content>
internal sealed unsafe partial class WriteboostQueue
{
    private const uint HoleAndZero = 3;

    /// <summary>Blocks asked for, one by one, for one answer: two or three milliseconds.</summary>
    private const int MaxStatusLookups = 32768;

    /// <summary>Blocks looked at between two looks at the ranges: some microseconds in the epoch.</summary>
    private const int StatusRunBlocks = 64;

    /// <summary>Extents of the backing device looked at for one answer.</summary>
    private const int MaxStatusSeeks = 1024;

    /// <summary>Slots walked over for one answer, while it is not known what the index has nothing of.</summary>
    private const int MaxStatusSlots = 1 << 20;

    /// <inheritdoc/>
    public int BlockStatus(int device, StatusContext context, long offsetBytes, long lengthBytes, Span<Extent> extents)
    {
        if (_health.State == VolumeState.PassThrough)
        {
            int known = _fallback.BlockStatus(device, context, offsetBytes, lengthBytes, extents);
            return known > 0 ? known : NothingKnown(lengthBytes, extents);
        }
        if (!_devices.IsServed(device + BackingTable.MinId)) return NothingKnown(lengthBytes, extents);
        _blocks.Regions.Advance(_blocks, MaxStatusSlots, _io.NowUs);
        StatusWalk walk = new() { Device = device, End = offsetBytes + lengthBytes };
        int count = 0;
        for (long at = offsetBytes; at < walk.End && !walk.IsLong;)
        {
            long next = StretchEnd(ref walk, at, out bool? logged);
            Invariant.Check(next > at);
            // The log before the backing device.
            bool hole = logged ?? BackingHole(ref walk, at, ref next);
            if (!TryAdd(extents, ref count, next - at, hole ? HoleAndZero : 0)) break;
            at = next;
        }
        return count;
    }

    // Where what the log says of byte at ends; null: the log has nothing of it.
    private long StretchEnd(ref StatusWalk walk, long at, out bool? logged)
    {
        ulong key = KeyOf(walk.Device, at);
        _readers.Enter(_index);
        bool isRange = _ranges.TryFind(key, 0, long.MaxValue, out RangeMap.Interval range);
        bool isOver = isRange && range.Start == key;
        // Up to there the ranges say the same.
        ulong uniform = isOver ? range.End : isRange ? range.Start : ulong.MaxValue;
        ulong end = Math.Min(KeyOf(walk.Device, walk.End - 1) + 1, uniform);
        Interleaving.Step();
        if (_blocks.Regions.IsEmpty(key))
        {
            logged = isOver ? true : null;
            end = Math.Min(((key >> RegionMarks.RegionShift) + 1) << RegionMarks.RegionShift, end);
        }
        else
        {
            end = RunEnd(ref walk, key, end, isOver ? range.Position : 0, out logged);
        }
        _readers.Exit(_index);
        return Math.Min(at + ((long)(end - key) << Geometry.BlockShift) - (at & (Geometry.BlockBytes - 1)), walk.End);
    }

    // The block and those behind it of which the log says the same.
    private ulong RunEnd(ref StatusWalk walk, ulong key, ulong end, long zero, out bool? logged)
    {
        ulong first = key;
        end = Math.Min(end, key + StatusRunBlocks);
        logged = IsZeroed(key, zero);
        while (++key < end && IsZeroed(key, zero) == logged) { }
        walk.Lookups += (int)(key - first);
        return key;
    }

    // By a range at zero, over all the versions of the block; null: there is nothing of it.
    private bool? IsZeroed(ulong key, long zero)
    {
        _blocks.PrefetchAlong(key);
        long newest = _blocks.NewestPosition(key);
        return zero == 0 && newest == 0 ? null : newest < zero;
    }

    // What the backing device says, while nothing has left the log since. A block that is a hole in part is none.
    private bool BackingHole(ref StatusWalk walk, long at, ref long next)
    {
        long reclaims = _versions.Removals;
        if (at >= walk.BackingEnd || reclaims != walk.SeenReclaims)
        {
            walk.SeenReclaims = reclaims;
            walk.BackingEnd = _devices.Of(KeyOf(walk.Device, 0)).Device.ExtentEnd(at, out walk.BackingHole);
            walk.Seeks++;
        }
        if (next <= walk.BackingEnd) return walk.BackingHole;
        long whole = walk.BackingEnd & ~(long)(Geometry.BlockBytes - 1);
        next = whole > at ? whole : Math.Min((at & ~(long)(Geometry.BlockBytes - 1)) + Geometry.BlockBytes, next);
        return walk.BackingHole && whole > at;
    }

    private struct StatusWalk
    {
        public int Device;
        public long End;
        public long BackingEnd;
        public bool BackingHole;
        public long SeenReclaims;
        public int Lookups;
        public int Seeks;

        public readonly bool IsLong => Lookups >= MaxStatusLookups || Seeks >= MaxStatusSeeks;
    }

    // The device is leaving, or gone, and its clients will be told.
    private static int NothingKnown(long lengthBytes, Span<Extent> extents)
    {
        extents[0] = new Extent { LengthBytes = lengthBytes };
        return 1;
    }

    private static bool TryAdd(Span<Extent> extents, ref int count, long length, uint flags)
    {
        if (count > 0 && extents[count - 1].Flags == flags)
        {
            extents[count - 1].LengthBytes += length;
            return true;
        }
        if (count == extents.Length) return false;
        extents[count++] = new Extent { LengthBytes = length, Flags = flags };
        return true;
    }
}

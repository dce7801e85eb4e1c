using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Index;

namespace Weir.Core.Writeboost.Queue;

/// <content>What is allocated: logged data, logged ranges, and for the rest what the backing device says.</content>
public sealed unsafe partial class WriteboostQueue
{
    private const uint HoleAndZero = 3;

    /// <summary>Blocks asked for, one by one, for one answer: two or three milliseconds.</summary>
    private const int MaxStatusLookups = 32768;

    /// <summary>Extents of the backing device looked at for one answer.</summary>
    private const int MaxStatusSeeks = 1024;

    /// <summary>Slots walked over for one answer, while it is not known what the index has nothing of.</summary>
    private const int MaxStatusSlots = 1 << 20;

    /// <inheritdoc/>
    public int BlockStatus(int device, long offsetBytes, long lengthBytes, Span<Extent> extents)
    {
        if (_volume.Health.State == VolumeState.PassThrough)
        {
            _fallback ??= OpenFallback();
            return _fallback[device]?.BlockStatus(0, offsetBytes, lengthBytes, extents)
                ?? NothingKnown(lengthBytes, extents);
        }
        if (!_volume.Backings.IsServed(device + BackingTable.MinId)) return NothingKnown(lengthBytes, extents);
        _volume.Index.Regions.Advance(_volume.Index, MaxStatusSlots, _io.NowUs);
        StatusWalk walk = new() { Device = device, End = offsetBytes + lengthBytes };
        int count = 0;
        for (long at = offsetBytes; at < walk.End && !walk.IsLong;)
        {
            long next = StretchEnd(ref walk, at, out bool? logged);
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
        ulong end = key + 1;
        _volume.Gate.Enter(_index);
        RangeMap ranges = _volume.Ranges;
        bool isRange = ranges.TryFind(key, 0, long.MaxValue, out RangeMap.Interval range);
        (ulong start, long zero) = (range.Start, range.Position);
        bool isOver = isRange && start == key;
        if (!isOver) zero = 0;
        Interleaving.Step();
        if (_volume.Index.Regions.IsEmpty(key))
        {
            logged = isOver ? true : null;
            ulong uniform = isOver ? range.End : isRange ? start : ulong.MaxValue;
            end = Math.Min(((key >> RegionMarks.RegionShift) + 1) << RegionMarks.RegionShift, uniform);
        }
        else
        {
            long newest = _volume.Index.NewestPosition(key);
            logged = zero == 0 && newest == 0 ? null : newest < zero;
            walk.Lookups++;
        }
        _volume.Gate.Exit(_index);
        return Math.Min(at + ((long)(end - key) << Geometry.BlockShift) - (at & (Geometry.BlockBytes - 1)), walk.End);
    }

    // What the backing device says, while nothing has left the log since. A block that is a hole in part is none.
    private bool BackingHole(ref StatusWalk walk, long at, ref long next)
    {
        long reclaims = Volatile.Read(ref _volume.Reclaims);
        if (at >= walk.BackingEnd || reclaims != walk.SeenReclaims)
        {
            walk.SeenReclaims = reclaims;
            walk.BackingEnd = _volume.Backings.Of(KeyOf(walk.Device, 0)).Device.ExtentEnd(at, out walk.BackingHole);
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

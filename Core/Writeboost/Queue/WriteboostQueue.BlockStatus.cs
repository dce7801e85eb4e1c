using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Backings;

namespace Weir.Core.Writeboost.Queue;

/// <content>What is allocated: logged data, logged ranges, and for the rest what the backing device says.</content>
public sealed unsafe partial class WriteboostQueue
{
    private const uint HoleAndZero = 3;

    /// <summary>Blocks looked at for one answer, so that a question about a terabyte stalls nobody: 32 MiB.</summary>
    private const long MaxStatusBytes = 32 << 20;

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
        long end = offsetBytes + Math.Min(lengthBytes, MaxStatusBytes);
        long backingEnd = offsetBytes;
        long seen = -1;
        Device backing = _volume.Backings.Of(KeyOf(device, 0)).Device;
        bool backingHole = false;
        int count = 0;
        for (long at = offsetBytes; at < end;)
        {
            long next = Math.Min((at & ~(long)(Geometry.BlockBytes - 1)) + Geometry.BlockBytes, end);
            bool? logged = IsLoggedHole(KeyOf(device, at));
            // The log before the backing device, and its answer only while nothing has left the log since.
            long reclaims = Volatile.Read(ref _volume.Reclaims);
            if (logged == null && (at >= backingEnd || reclaims != seen))
            {
                seen = reclaims;
                backingEnd = backing.ExtentEnd(at, out backingHole);
            }
            bool hole = logged ?? (backingHole && next <= backingEnd);
            if (!TryAdd(extents, ref count, next - at, hole ? HoleAndZero : 0)) break;
            at = next;
        }
        return count;
    }

    // The device is leaving, or gone, and its clients will be told.
    private static int NothingKnown(long lengthBytes, Span<Extent> extents)
    {
        extents[0] = new Extent { LengthBytes = lengthBytes };
        return 1;
    }

    // Null: the log has nothing of the block.
    private bool? IsLoggedHole(ulong key)
    {
        _volume.Gate.Enter(_index);
        long zero = _volume.Ranges.PositionOver(key);
        Interleaving.Step();
        long newest = _volume.Index.NewestPosition(key);
        _volume.Gate.Exit(_index);
        return zero == 0 && newest == 0 ? null : newest < zero;
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

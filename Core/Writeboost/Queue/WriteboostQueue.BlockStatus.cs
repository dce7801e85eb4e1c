using System;
using Weir.Core.Io;

namespace Weir.Core.Writeboost.Queue;

/// <content>What is allocated: logged data, logged ranges, and for the rest what the backing device says.</content>
public sealed unsafe partial class WriteboostQueue
{
    private const uint HoleAndZero = 3;

    /// <summary>Blocks looked at for one answer, so that a question about a terabyte stalls nobody: 32 MiB.</summary>
    private const long MaxStatusBytes = 32 << 20;

    /// <inheritdoc/>
    public int BlockStatus(long offsetBytes, long lengthBytes, Span<Extent> extents)
    {
        long end = offsetBytes + Math.Min(lengthBytes, MaxStatusBytes);
        long backingEnd = offsetBytes;
        bool backingHole = false;
        int count = 0;
        for (long at = offsetBytes; at < end;)
        {
            long next = Math.Min((at & ~(long)(Geometry.BlockBytes - 1)) + Geometry.BlockBytes, end);
            if (at >= backingEnd) backingEnd = _volume.Backing.ExtentEnd(at, out backingHole);
            bool hole = IsHole(at, backingHole && next <= backingEnd);
            if (!TryAdd(extents, ref count, next - at, hole ? HoleAndZero : 0)) break;
            at = next;
        }
        return count;
    }

    private bool IsHole(long offset, bool backingHole)
    {
        ulong key = KeyOf(offset);
        long zero = _volume.Ranges.PositionOver(key);
        long newest = _volume.Index.NewestPosition(key);
        return newest == 0 ? zero != 0 || backingHole : newest < zero;
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

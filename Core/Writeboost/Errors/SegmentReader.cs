using System;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Errors;

/// <summary>
/// Reads a segment, or the rest of one, and waits for it. Where the device does not give all of it, block by block:
/// what cannot be read then is zero and noted.
/// </summary>
internal sealed unsafe class SegmentReader(BlockingIo io, DeviceQueue queue, int slotsPerSegment)
{
    /// <summary>Slots of the segment read last that the device does not give.</summary>
    public UnreadPlaces Unread { get; } = new(slotsPerSegment);

    /// <summary>
    /// Reads the slots from <paramref name="slot"/> on, which lie at <paramref name="offset"/>, to
    /// <paramref name="target"/>. Returns 0, or the errno (negative) that some of them could not be read for.
    /// </summary>
    public int Read(long offset, byte* target, int slot)
    {
        Unread.Clear();
        int count = slotsPerSegment - slot;
        int error = ReadAt(offset, target, (long)count << Geometry.BlockShift);
        if (error == 0) return 0;
        int result = 0;
        for (int i = 0; i < count; i++)
        {
            byte* block = target + ((long)i << Geometry.BlockShift);
            error = ReadAt(offset + ((long)i << Geometry.BlockShift), block, Geometry.BlockBytes);
            if (error == 0) continue;
            result = error;
            new Span<byte>(block, Geometry.BlockBytes).Clear();
            Unread.Add(slot + i);
        }
        return result;
    }

    private int ReadAt(long offset, byte* target, long bytes)
    {
        io.Start(queue, IoKind.Read, offset, target, bytes);
        return io.Wait();
    }
}

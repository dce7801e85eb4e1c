using System;
using Weir.Core.Io;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Writeback;

/// <content>
/// Zeroes over a hole. Layouts without an entry for ranges log zeroes block by block; written back as they are, they
/// would fill a sparse disk with nothing.
/// </content>
internal sealed unsafe partial class WritebackEngine
{
    // Asked last: this device, a hole from here to there. Blocks go in order, so what is behind is a hole still.
    private (Device? Device, long Start, long End) _hole;

    // The device has what is to be written, and need not take room for it.
    private bool IsHoleAlready(in DirtyBlock block)
    {
        if (_log.Layout.HasRanges || block.Sectors != SectorMask.Full) return false;
        ReadOnlySpan<byte> data = new(_batch.Data(block.BatchSlot), Geometry.BlockBytes);
        return data.IndexOfAnyExcept((byte)0) < 0 && IsHole(_devices.Of(block.Key).Device, block.Key);
    }

    private bool IsHole(Device device, ulong key)
    {
        long start = BackingTable.OffsetOf(key), end = start + Geometry.BlockBytes;
        if (device == _hole.Device && start >= _hole.Start && end <= _hole.End) return true;
        long extentEnd = device.ExtentEnd(start, out bool isHole);
        if (!isHole || end > extentEnd) return false;
        _hole = (device, start, extentEnd);
        return true;
    }
}

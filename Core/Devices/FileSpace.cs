using System;
using Weir.Native;

namespace Weir.Core.Devices;

/// <summary>
/// The space of an open file. What cannot be had as a whole is not taken in part: a file system that is full stops
/// others, too.
/// </summary>
internal sealed unsafe class FileSpace(int fd) : IFileSpace
{
    private const int SectorBytes = 512;

    /// <inheritdoc/>
    public long AllocatedBytes =>
        Libc.Status(fd, out statx status) < 0 ? 0 : (long)status.stx_blocks * SectorBytes;

    /// <summary>0: there was nothing to take; 1: it was taken; or a negative errno, and nothing was.</summary>
    public int Take(long from, long end)
    {
        if (from >= end) return 0;
        if (IsTooMuch(from, end)) return -Errno.ENOSPC;
        long before = AllocatedBytes;
        int result;
        do result = Libc.Allocate(fd, 0, from, end - from);
        while (result == -Errno.EINTR);
        if (result == -Errno.EOPNOTSUPP) result = SpaceByWriting.Take(this, from, end);
        bool hasTaken = AllocatedBytes != before;
        // Some file systems keep what they had found before there was no more.
        if (result < 0 && hasTaken) GiveBack(from, end);
        return result < 0 ? result : hasTaken ? 1 : 0;
    }

    /// <summary>Returns what holds no data, where the file system can.</summary>
    public void GiveBack(long from, long end)
    {
        for (long at = from; (at = NextHole(at)) < end;)
        {
            long data = Libc.Seek(fd, at, Const.SEEK_DATA);
            // ENXIO: none from here to the end.
            if (data < 0 && data != -Errno.ENXIO) return;
            long holeEnd = data < 0 ? end : Math.Min(data, end);
            const int mode = Const.FALLOC_FL_PUNCH_HOLE | Const.FALLOC_FL_KEEP_SIZE;
            if (holeEnd <= at || Libc.Allocate(fd, mode, at, holeEnd - at) < 0) return;
            at = holeEnd;
        }
    }

    /// <inheritdoc/>
    public long NextHole(long offset)
    {
        long hole = Libc.Seek(fd, offset, Const.SEEK_HOLE);
        return hole < 0 ? long.MaxValue : hole;
    }

    /// <inheritdoc/>
    public long Read(void* buffer, long length, long offset) => Libc.ReadAt(fd, buffer, length, offset);

    /// <inheritdoc/>
    public long Write(void* buffer, long length, long offset) => Libc.WriteAt(fd, buffer, length, offset);

    // For certain, so that it need not be tried: even if all that the file has were in this part.
    private bool IsTooMuch(long from, long end)
    {
        if (NextHole(from) >= end || Libc.FileSystem(fd, out statfs info) < 0 || info.f_blocks == 0) return false;
        long missing = end - from - AllocatedBytes;
        return missing > 0 && missing / info.f_bsize > info.f_bfree;
    }
}

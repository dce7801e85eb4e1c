using System;
using Weir.Native;

namespace Weir.Core.Devices;

/// <summary>A file whose space <see cref="SpaceByWriting"/> takes. Results as the system calls'.</summary>
internal unsafe interface IFileSpace
{
    /// <summary>Bytes that the file has space for already.</summary>
    long AllocatedBytes { get; }

    /// <summary>
    /// Where the next hole from <paramref name="offset"/> on begins; the file's size or more: there is none.
    /// </summary>
    long NextHole(long offset);

    /// <summary>pread(2).</summary>
    long Read(void* buffer, long length, long offset);

    /// <summary>pwrite(2).</summary>
    long Write(void* buffer, long length, long offset);
}

/// <summary>
/// Takes the space of a file where the file system has no call for it: pieces with holes are read and written as they
/// are, a MiB at a time. The C library would do so a block of the file system at a time, often 512 bytes.
/// </summary>
internal static unsafe class SpaceByWriting
{
    /// <summary>Bytes of one write.</summary>
    public const int PieceBytes = 1 << 20;

    /// <summary>0, or a negative errno. What the file holds stays.</summary>
    public static int Take(IFileSpace file, long from, long end)
    {
        if (file.AllocatedBytes >= end) return 0;
        // A file system that knows no holes says that there is none, though space is missing: then it may be anywhere.
        bool knowsHoles = file.NextHole(from) < end;
        using Slab piece = new(PieceBytes);
        for (long offset = from; offset < end; offset += PieceBytes)
        {
            if (knowsHoles) offset = Math.Max(offset, file.NextHole(offset) & -PieceBytes);
            if (offset >= end) return 0;
            long length = Math.Min(PieceBytes, end - offset);
            long result = file.Read(piece.Start, length, offset);
            if (result == length) result = file.Write(piece.Start, length, offset);
            if (result != length) return result < 0 ? (int)result : -Errno.EIO;
        }
        return 0;
    }
}

using System;
using System.Threading;

namespace Weir.Core.Devices;

/// <summary>
/// The pages of a file that are read and written through the page cache, because its end is or was inside one and is
/// not whole blocks. Nothing around the page cache may touch them, nor anything through it another page: where both
/// meet, the kernel finds a dirty page where it wrote past it, and fails the next flush of the file.
/// </summary>
/// <remarks>
/// One array, replaced as a whole by the one thread that lets the device grow; never shorter. A page stays after the
/// file has grown: it may be dirty in the page cache still. Each start of the process begins with one.
/// </remarks>
internal sealed class BufferedPages(long pageBytes)
{
    private long[] _starts = [];

    /// <summary>The page that the end is in, once there is one.</summary>
    public void Add(long endBytes)
    {
        long start = endBytes & -pageBytes;
        if (Array.IndexOf(_starts, start) < 0) Volatile.Write(ref _starts, [.. _starts, start]);
    }

    /// <summary>
    /// The end of the piece that begins at <paramref name="offset"/> and is served one way, at most
    /// <paramref name="end"/>, and whether through the page cache.
    /// </summary>
    public long Cut(long offset, long end, out bool isBuffered)
    {
        isBuffered = false;
        foreach (long start in Volatile.Read(ref _starts))
        {
            if (offset >= start && offset < start + pageBytes)
            {
                isBuffered = true;
                return Math.Min(end, start + pageBytes);
            }
            if (start > offset) end = Math.Min(end, start);
        }
        return end;
    }
}

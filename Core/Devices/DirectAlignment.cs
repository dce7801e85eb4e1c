using Weir.Native;

namespace Weir.Core.Devices;

/// <summary>The alignment that direct I/O on a file needs: asked for where the kernel tells, else tried.</summary>
internal static unsafe class DirectAlignment
{
    private const int Page = 4096;

    /// <summary>
    /// 512, 4096 or what the file system says; clears <paramref name="isDirect"/> when there is none.
    /// </summary>
    public static int OfFile(int fd, in statx status, ref bool isDirect)
    {
        if (!isDirect) return 512;
        if ((status.stx_mask & Const.STATX_DIOALIGN) == 0) return TryReads(fd, (long)status.stx_size);
        if (status.stx_dio_offset_align == 0)
        {
            isDirect = false;
            return 512;
        }
        uint align = uint.Max(status.stx_dio_offset_align, status.stx_dio_mem_align > 512 ? Page : 512u);
        return (int)uint.Max(align, 512);
    }

    /// <summary>File systems that do not tell: an unaligned direct read is refused with EINVAL.</summary>
    private static int TryReads(int fd, long sizeBytes)
    {
        if (sizeBytes < 1024) return 512;
        using Slab slab = new(Page);
        return Libc.ReadAt(fd, slab.Start, 512, 512) == -Errno.EINVAL ? Page : 512;
    }
}

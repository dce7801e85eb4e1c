namespace Weir.Native;

/// <summary>Block device ioctls (linux/fs.h). Results: the value, or <c>-errno</c>.</summary>
public static unsafe class BlockDevice
{
    /// <summary>Bytes of the device (BLKGETSIZE64).</summary>
    public static long SizeBytes(int fd)
    {
        ulong size = 0;
        int result = Libc.Control(fd, Const.BLKGETSIZE64, &size);
        return result < 0 ? result : (long)size;
    }

    /// <summary>Smallest addressable unit in bytes (BLKSSZGET).</summary>
    public static int LogicalBlockBytes(int fd)
    {
        int size = 0;
        int result = Libc.Control(fd, Const.BLKSSZGET, &size);
        return result < 0 ? result : size;
    }

    /// <summary>1 when the device refuses writes (BLKROGET).</summary>
    public static int IsReadOnly(int fd)
    {
        int value = 0;
        int result = Libc.Control(fd, Const.BLKROGET, &value);
        return result < 0 ? result : value;
    }

    /// <summary>Tells the device that a range is not needed (BLKDISCARD). What it reads as then is undefined.</summary>
    public static int Discard(int fd, long offsetBytes, long lengthBytes)
    {
        long* range = stackalloc long[2] { offsetBytes, lengthBytes };
        return Libc.Control(fd, Const.BLKDISCARD, range);
    }
}

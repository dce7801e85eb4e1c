using System;
using System.Threading;

namespace Weir.Native;

/// <summary>A counter in the kernel that one thread reads through its ring and others raise to wake it.</summary>
public sealed unsafe class EventFd : IDisposable
{
    private int _fd;

    /// <summary>
    /// Opens it; throws <see cref="NativeException"/> when descriptors are short. Of a semaphore each read takes one,
    /// else all.
    /// </summary>
    public EventFd(bool isSemaphore = false)
    {
        int flags = Const.EFD_CLOEXEC | (isSemaphore ? Const.EFD_SEMAPHORE : 0);
        _fd = (int)NativeException.Check(Libc.EventFd(0, flags), "cannot open an eventfd");
    }

    /// <summary>The descriptor, to be read eight bytes at a time.</summary>
    public int Descriptor => _fd;

    /// <summary>Raises the counter; from any thread.</summary>
    public void Signal(ulong by = 1)
    {
        // Cannot fail while open: the counter would have to reach 2^64 - 1.
        _ = Libc.Write(_fd, &by, sizeof(ulong));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        int fd = Interlocked.Exchange(ref _fd, -1);
        if (fd >= 0) _ = Libc.Close(fd);
    }
}

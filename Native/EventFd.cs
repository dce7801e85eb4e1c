using System;
using System.Threading;

namespace Weir.Native;

/// <summary>A counter in the kernel that one thread reads through its ring and others raise to wake it.</summary>
public sealed unsafe class EventFd : IDisposable
{
    private int _fd;

    /// <summary>Opens it; throws <see cref="NativeException"/> when descriptors are short.</summary>
    public EventFd() =>
        _fd = (int)NativeException.Check(Libc.EventFd(0, Const.EFD_CLOEXEC), "cannot open an eventfd");

    /// <summary>The descriptor, to be read eight bytes at a time.</summary>
    public int Descriptor => _fd;

    /// <summary>Raises the counter by one; from any thread.</summary>
    public void Signal()
    {
        ulong one = 1;
        // Cannot fail while open: the counter would have to reach 2^64 - 1.
        _ = Libc.Write(_fd, &one, sizeof(ulong));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        int fd = Interlocked.Exchange(ref _fd, -1);
        if (fd >= 0) _ = Libc.Close(fd);
    }
}

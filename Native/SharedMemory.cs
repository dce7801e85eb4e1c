using System;

namespace Weir.Native;

/// <summary>A file's pages mapped shared, read and write. Stays valid after the descriptor is closed.</summary>
public sealed unsafe class SharedMemory : IDisposable
{
    /// <summary>Maps the first <paramref name="sizeBytes"/> of <paramref name="fd"/>.</summary>
    public SharedMemory(int fd, long sizeBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(sizeBytes);
        nint address = Libc.Map((nuint)sizeBytes, Const.PROT_READ | Const.PROT_WRITE, Const.MAP_SHARED, fd, 0);
        NativeException.Check(address, $"cannot map {sizeBytes} bytes of shared memory");
        Start = (byte*)address;
        SizeBytes = sizeBytes;
    }

    /// <summary>First byte, page aligned.</summary>
    public byte* Start { get; private set; }

    /// <summary>Bytes.</summary>
    public long SizeBytes { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Start == null) return;
        byte* start = Start;
        Start = null;
        _ = Libc.Unmap(start, (nuint)SizeBytes);
    }
}

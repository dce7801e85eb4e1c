using System;
using System.Runtime.InteropServices;

namespace Weir.Core.Base;

/// <summary>A zeroed piece of native memory on a 4 KiB boundary, for control-path I/O.</summary>
public sealed unsafe class AlignedMemory : IDisposable
{
    private const int Alignment = 4096;

    /// <summary>Takes <paramref name="sizeBytes"/> bytes.</summary>
    public AlignedMemory(long sizeBytes)
    {
        SizeBytes = sizeBytes;
        Pointer = (byte*)NativeMemory.AlignedAlloc((nuint)sizeBytes, Alignment);
        NativeMemory.Clear(Pointer, (nuint)sizeBytes);
    }

    /// <summary>First byte.</summary>
    public byte* Pointer { get; private set; }

    /// <summary>Bytes.</summary>
    public long SizeBytes { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.AlignedFree(Pointer);
        Pointer = null;
    }
}

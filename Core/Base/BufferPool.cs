using System;
using System.Runtime.InteropServices;

namespace Weir.Core.Base;

/// <summary>
/// Buffers of one size for operations under way, on 4 KiB boundaries; all memory is taken at the start. One thread;
/// empty is back-pressure.
/// </summary>
internal sealed unsafe class BufferPool : IDisposable
{
    private const int Alignment = 4096;

    private readonly int _bufferBytes;
    private readonly byte* _memory;
    private readonly int[] _free;

    /// <summary>All of <paramref name="count"/> buffers free.</summary>
    public BufferPool(int count, int bufferBytes)
    {
        Invariant.Check(bufferBytes % Alignment == 0);
        _bufferBytes = bufferBytes;
        _memory = (byte*)NativeMemory.AlignedAlloc((nuint)count * (nuint)bufferBytes, Alignment);
        _free = new int[count];
        for (int i = 0; i < count; i++) _free[i] = i;
        FreeCount = count;
    }

    /// <summary>Free buffers.</summary>
    public int FreeCount { get; private set; }

    /// <summary>
    /// Takes a buffer. <see cref="FreeCount"/> was asked, or there is one for every operation there may be.
    /// </summary>
    public int Take()
    {
        Invariant.Check(FreeCount > 0);
        return _free[--FreeCount];
    }

    /// <summary>Gives it back.</summary>
    public void Return(int buffer)
    {
        Invariant.Check((uint)buffer < (uint)_free.Length && FreeCount < _free.Length);
        _free[FreeCount++] = buffer;
    }

    /// <summary>Its memory.</summary>
    public byte* At(int buffer) => _memory + ((long)buffer * _bufferBytes);

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.AlignedFree(_memory);
}

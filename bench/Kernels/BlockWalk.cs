using System;
using Weir.Native;

namespace Weir.Bench.Kernels;

/// <summary>Blocks one after the other in memory that stays in cache, or is far larger than any.</summary>
internal sealed unsafe class BlockWalk : IDisposable
{
    /// <summary>In cache, and past all caches.</summary>
    public const long HotBytes = 16 << 10, ColdBytes = 64 << 20;

    private readonly Slab _memory;
    private readonly long _sizeBytes;
    private readonly int _stepBytes;
    private long _at;

    /// <summary>Random bytes, or zeroes.</summary>
    public BlockWalk(long sizeBytes, int stepBytes, bool isRandom)
    {
        (_sizeBytes, _stepBytes) = (sizeBytes, stepBytes);
        _memory = new Slab(sizeBytes);
        Span<byte> bytes = new(_memory.Start, (int)sizeBytes);
        if (isRandom) new Random(1).NextBytes(bytes);
        else bytes.Clear();
    }

    /// <summary>The next one.</summary>
    public byte* Next()
    {
        byte* next = _memory.Start + _at;
        _at = _at + _stepBytes >= _sizeBytes ? 0 : _at + _stepBytes;
        return next;
    }

    /// <inheritdoc/>
    public void Dispose() => _memory.Dispose();
}

using System;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Weir.Core.Base;

/// <summary>CRC32C (Castagnoli): initial value ~0, final complement, as iSCSI and ext4 have it.</summary>
public static unsafe class Crc32C
{
    /// <summary>The checksum of <paramref name="length"/> bytes.</summary>
    public static uint Compute(byte* data, int length) => ~Append(~0u, data, length);

    /// <summary>Carries a running state (no complements) over more bytes.</summary>
    public static uint Append(uint state, byte* data, int length)
    {
        for (; length >= 8; length -= 8, data += 8) state = BitOperations.Crc32C(state, Unsafe.ReadUnaligned<ulong>(data));
        for (; length > 0; length--) state = BitOperations.Crc32C(state, *data++);
        return state;
    }

    /// <summary>Copies and returns the checksum of what was copied.</summary>
    public static uint CopyAndCompute(byte* target, byte* source, int length)
    {
        Buffer.MemoryCopy(source, target, length, length);
        return Compute(target, length);
    }
}

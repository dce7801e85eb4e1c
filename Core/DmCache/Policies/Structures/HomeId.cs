using System.Runtime.CompilerServices;

namespace Weir.Core.DmCache.Policies.Structures;

/// <summary>
/// 32 bits that stand for a home. Below 2^32 blocks, 256 TiB of 64 KiB each, no two homes have the same; above, few.
/// What is mistaken for another one is a block that a policy thinks it remembers: a wrong guess, and no more.
/// </summary>
internal static class HomeId
{
    /// <summary>The number for a home.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Of(long home) => (uint)home ^ ((uint)(home >> 32) * 0x9E3779B1);

    /// <summary>Its bits well mixed; one to one (the finaliser of MurmurHash3, public domain).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Mix(uint id)
    {
        id = (id ^ (id >> 16)) * 0x85EBCA6B;
        id = (id ^ (id >> 13)) * 0xC2B2AE35;
        return id ^ (id >> 16);
    }

    /// <summary>One of <paramref name="count"/> buckets, from mixed bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Bucket(uint mixed, uint count) => (uint)(((ulong)mixed * count) >> 32);
}

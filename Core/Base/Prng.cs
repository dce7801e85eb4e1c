using System;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Weir.Core.Base;

/// <summary>
/// Seeded random numbers: the same seed gives the same run, which is what the simulation and every sampled decision
/// of an engine need. xoshiro256** (Blackman and Vigna, 2018), state filled by splitmix64. Not for secrets.
/// </summary>
public struct Prng
{
    private ulong _a;
    private ulong _b;
    private ulong _c;
    private ulong _d;

    /// <summary>A generator whose whole sequence follows from <paramref name="seed"/>.</summary>
    public Prng(ulong seed)
    {
        _a = SplitMix(ref seed);
        _b = SplitMix(ref seed);
        _c = SplitMix(ref seed);
        _d = SplitMix(ref seed);
    }

    /// <summary>64 random bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong Next()
    {
        ulong result = BitOperations.RotateLeft(_b * 5, 7) * 9;
        ulong shifted = _b << 17;
        _c ^= _a;
        _d ^= _b;
        _b ^= _c;
        _a ^= _d;
        _c ^= shifted;
        _d = BitOperations.RotateLeft(_d, 45);
        return result;
    }

    /// <summary>
    /// A number from 0 to <paramref name="bound"/> - 1. The bias is below 2^-32 for bounds of 32 bits.
    /// </summary>
    public long Below(long bound)
    {
        Invariant.Check(bound > 0);
        return (long)Math.BigMul(Next(), (ulong)bound, out _);
    }

    /// <summary>A number from 0 to <paramref name="bound"/> - 1.</summary>
    public int Below(int bound) => (int)Below((long)bound);

    /// <summary>A number from <paramref name="low"/> to <paramref name="high"/>, both included.</summary>
    public int Between(int low, int high) => low + Below(high - low + 1);

    /// <summary>True in <paramref name="percent"/> of a hundred cases.</summary>
    public bool Chance(int percent) => Below(100) < percent;

    /// <summary>The next output of splitmix64; <paramref name="state"/> may be anything.</summary>
    public static ulong SplitMix(ref ulong state)
    {
        state += 0x9E3779B97F4A7C15;
        ulong z = state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}

using System;

namespace Weir.Core.Base;

/// <summary>
/// Ranks that are wanted by Zipf's law, the first most often: rejection-inversion (W. Hörmann, G. Derflinger,
/// "Rejection-inversion to generate variates from monotone discrete distributions", ACM TOMACS 6, 1996); constant
/// memory and time for any number of them.
/// </summary>
/// <param name="count">Ranks.</param>
/// <param name="theta">The exponent: the rank r is wanted in proportion to r to the power of minus this.</param>
public readonly struct ZipfLaw(long count, double theta)
{
    private readonly double _low = H(1.5, theta) - 1;
    private readonly double _high = H(count + 0.5, theta);
    private readonly double _sure = 2 - InverseH(H(2.5, theta) - Math.Pow(2, -theta), theta);

    /// <summary>A rank from 1 on, by 64 random bits; 0: these say nothing, take others.</summary>
    public long RankOf(ulong random)
    {
        double u = _high + ((random >> 11) * (1.0 / (1UL << 53)) * (_low - _high));
        double x = InverseH(u, theta);
        long rank = Math.Clamp((long)(x + 0.5), 1, count);
        return rank - x <= _sure || u >= H(rank + 0.5, theta) - Math.Pow(rank, -theta) ? rank : 0;
    }

    // The integral of x to the power of -theta, and its inverse.
    private static double H(double x, double theta) =>
        theta == 1 ? Math.Log(x) : (Math.Pow(x, 1 - theta) - 1) / (1 - theta);

    private static double InverseH(double x, double theta) =>
        theta == 1 ? Math.Exp(x) : Math.Pow(1 + (x * (1 - theta)), 1 / (1 - theta));
}

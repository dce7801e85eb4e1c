using System;

namespace Weir.Core.DmCache.Migration;

/// <summary>Bytes a second, with what a second brings saved up at most. One thread.</summary>
internal sealed class RateLimit
{
    private const long UsPerSecond = 1_000_000;

    private long _freeAtUs;

    /// <summary>When there is something again, on the caller's clock.</summary>
    public long ResumeUs => _freeAtUs;

    /// <summary>There is something now; <paramref name="bytesPerSecond"/> 0: always.</summary>
    public bool MayGo(long nowUs, long bytesPerSecond)
    {
        if (bytesPerSecond == 0) _freeAtUs = 0;
        return nowUs >= _freeAtUs;
    }

    /// <summary>Takes <paramref name="bytes"/>, which may be more than there is.</summary>
    public void Take(long nowUs, long bytes, long bytesPerSecond)
    {
        if (bytesPerSecond == 0) return;
        double costUs = (double)bytes * UsPerSecond / bytesPerSecond;
        _freeAtUs = Math.Max(_freeAtUs, nowUs - UsPerSecond) + (long)costUs;
    }
}

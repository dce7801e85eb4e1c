using System;
using Weir.Core.Base;

namespace Weir.Core.Devices;

/// <summary>
/// The time model of a disk with one arm, shared by the queues of all threads: operations are served one at a time in
/// the order of their submission. Each costs a seek, unless it begins where the last one ended, and its bytes at the
/// disk's bandwidth.
/// </summary>
internal sealed class DiskArm
{
    // Settling takes 0.4 of the average seek; the way grows with the square root of the distance. The mean of
    // sqrt(distance / size) over random pairs is 8/15, so 1.125 makes the mean of the whole equal the given seek.
    private const double Settle = 0.4;
    private const double Travel = 1.125;
    private const double NsPerSecond = 1e9;

    private readonly long _sizeBytes;
    private readonly double _seekNs;
    private readonly double _nsPerByte;
    private SpinLatch _latch;
    // Under the latch: where the head is, and until when it is busy.
    private long _headBytes;
    private long _freeNs;

    /// <summary>An arm at rest over byte 0.</summary>
    /// <param name="sizeBytes">Bytes that the longest seek crosses.</param>
    /// <param name="seekUs">Average seek, rotation included.</param>
    /// <param name="bytesPerSecond">Sequential bandwidth.</param>
    public DiskArm(long sizeBytes, long seekUs, long bytesPerSecond)
    {
        Invariant.Check(sizeBytes > 0);
        Invariant.Check(seekUs >= 0);
        Invariant.Check(bytesPerSecond > 0);
        _sizeBytes = sizeBytes;
        _seekNs = seekUs * 1000.0;
        _nsPerByte = NsPerSecond / bytesPerSecond;
    }

    /// <summary>Puts a transfer on the arm's list. When it is done, in microseconds of the caller's clock.</summary>
    public long Transfer(long nowUs, long offsetBytes, long lengthBytes)
    {
        _latch.Enter();
        double costNs = SeekNs(Math.Abs(offsetBytes - _headBytes)) + lengthBytes * _nsPerByte;
        _headBytes = offsetBytes + lengthBytes;
        _freeNs = Math.Max(_freeNs, nowUs * 1000) + (long)costNs;
        long freeNs = _freeNs;
        _latch.Exit();
        return CeilingUs(freeNs);
    }

    /// <summary>When everything on the list is done: what a flush waits for.</summary>
    public long Idle(long nowUs)
    {
        _latch.Enter();
        long freeNs = Math.Max(_freeNs, nowUs * 1000);
        _latch.Exit();
        return CeilingUs(freeNs);
    }

    private double SeekNs(long distanceBytes) => distanceBytes == 0
        ? 0
        : _seekNs * (Settle + Travel * Math.Sqrt((double)distanceBytes / _sizeBytes));

    private static long CeilingUs(long ns) => (ns + 999) / 1000;
}

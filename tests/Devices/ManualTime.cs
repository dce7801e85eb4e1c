using System;
using System.Threading;

namespace Weir.Tests.Devices;

/// <summary>A clock that moves only when told; any thread.</summary>
internal sealed class ManualTime : TimeProvider
{
    private long _us = 1_000_000;

    public override long TimestampFrequency => 1_000_000;

    public override long GetTimestamp() => Volatile.Read(ref _us);

    public void AdvanceUs(long us) => Interlocked.Add(ref _us, us);
}

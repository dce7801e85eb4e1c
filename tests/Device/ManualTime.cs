using System;

namespace Weir.Tests.Devices;

/// <summary>A clock that moves only when told.</summary>
internal sealed class ManualTime : TimeProvider
{
    private long _us = 1_000_000;

    public override long TimestampFrequency => 1_000_000;

    public override long GetTimestamp() => _us;

    public void AdvanceUs(long us) => _us += us;
}

using System.Threading;
using BenchmarkDotNet.Attributes;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Log;

namespace Weir.Bench.Kernels;

/// <summary>One slot of the open segment, by one atomic addition; beside it what a mutex would cost.</summary>
public class SegmentCursorBench
{
    private readonly Geometry _geometry = new(1 << 20, 64);
    private readonly Lock _lock = new();
    private SegmentCursor _cursor;
    private long _segment = 1;
    private int _next;

    /// <summary>A segment is open.</summary>
    [GlobalSetup]
    public void Open() => _cursor.Open(_segment);

    /// <summary>Ours; a full segment is followed by the next.</summary>
    [Benchmark]
    public int Reserve()
    {
        if (!_cursor.TryReserve(1, _geometry, out Reservation reservation)) _cursor.Open(++_segment);
        return reservation.First;
    }

    /// <summary>Under a lock.</summary>
    [Benchmark(Baseline = true)]
    public int ReserveUnderLock()
    {
        lock (_lock)
        {
            if (++_next > _geometry.SlotsPerSegment) _next = 1;
            return _next;
        }
    }
}

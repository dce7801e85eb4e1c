using System.Threading;
using BenchmarkDotNet.Attributes;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;

namespace Weir.Bench.Kernels;

/// <summary>One slot of the open segment, which also tells who closes a record; one thread.</summary>
public class SegmentReserveBench
{
    private readonly Geometry _geometry = new(1 << 20, 64);
    private readonly Lock _lock = new();
    private SegmentCursor _cursor;
    private long _segment = 1, _bare;
    private int _next;

    /// <summary>A segment is open.</summary>
    [GlobalSetup]
    public void Open() => _cursor.Open(_segment);

    /// <summary>Ours: one atomic addition; a full segment is followed by the next.</summary>
    [Benchmark]
    public int Kernel()
    {
        if (!_cursor.TryReserve(1, _geometry, out Reservation reservation)) _cursor.Open(++_segment);
        return reservation.First;
    }

    /// <summary>The atomic addition alone.</summary>
    [Benchmark(Baseline = true)]
    public long ScalarAdd() => Interlocked.Increment(ref _bare);

    /// <summary>Under the library's lock.</summary>
    [Benchmark]
    public int LibraryLock()
    {
        lock (_lock)
        {
            if (++_next > _geometry.SlotsPerSegment) _next = 1;
            return _next;
        }
    }
}

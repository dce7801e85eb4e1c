using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Core.Volumes;

/*
 * What one queue has done, as one row of numbers:
 *
 *   0 .. 7     requests by kind        (index: RequestKind)
 *   8 .. 15    bytes by kind
 *   16         requests with FUA
 *   17 ..      the engine's own, as many as it asks for
 *
 * Every number is written by its queue's thread alone, and only ever rises. Nobody zeroes one: a store from another
 * thread between that thread's load and store would be lost, or would lose what was counted. Who wants to begin anew
 * notes what there is, and subtracts that from then on (CounterTotals).
 */

/// <summary>What one queue has done. Written by its thread alone, read by any; sums may lag a little.</summary>
/// <param name="own">Numbers that the engine adds.</param>
internal class RequestCounters(int own = 0)
{
    /// <summary>Index of the requests with FUA, and of the first number that is the engine's own.</summary>
    public const int Fua = 2 * Kinds, FirstOwn = Fua + 1;

    private const int Kinds = 8;

    private readonly long[] _values = new long[FirstOwn + own];

    /// <summary>Answers, for write-back, which aims at the clients' target.</summary>
    public LatencyMeter Latency { get; } = new();

    /// <summary>How many numbers there are.</summary>
    public int Length => _values.Length;

    /// <summary>The number at <paramref name="index"/>; any thread.</summary>
    public long this[int index] => Volatile.Read(ref _values[index]);

    /// <summary>Index of the requests of a kind.</summary>
    public static int RequestsOf(RequestKind kind) => (int)kind;

    /// <summary>Index of the bytes of a kind.</summary>
    public static int BytesOf(RequestKind kind) => Kinds + (int)kind;

    /// <summary>Counts a request that comes in, as the client has asked for it.</summary>
    public void CountRequest(RequestKind kind, RequestFlags flags, long lengthBytes)
    {
        if ((flags & RequestFlags.Counted) != 0) return;
        _values[RequestsOf(kind)]++;
        _values[BytesOf(kind)] += lengthBytes;
        if ((flags & RequestFlags.Fua) != 0) _values[Fua]++;
    }

    /// <summary>For <see cref="SharedMutant.CountersZeroed"/>: what nobody may do.</summary>
    internal void Zero()
    {
        for (int i = 0; i < _values.Length; i++) Volatile.Write(ref _values[i], 0);
    }

    /// <summary>Raises the number at <paramref name="index"/>; the queue's thread alone.</summary>
    public void Add(int index, long count) => _values[index] += count;
}

using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Core.Volumes;

/// <summary>
/// The counters of all queues together, since the last <see cref="Clear"/>. Any thread.
/// </summary>
/// <remarks>
/// Protocol. A queue's counters only rise. <see cref="Clear"/> adds them up into a new row and publishes that as what
/// is subtracted from now on. A reader takes the row before it adds up, so that it never subtracts more than there is.
/// </remarks>
/// <typeparam name="T">The engine's counters.</typeparam>
/// <param name="queues">Queues at most.</param>
internal sealed class CounterTotals<T>(int queues)
    where T : RequestCounters, new()
{
    private static readonly (RequestKind Kind, string Name)[] s_kinds =
    [
        (RequestKind.Read, "read"), (RequestKind.Write, "write"), (RequestKind.Flush, "flush"),
        (RequestKind.Discard, "discard"), (RequestKind.WriteZeroes, "write_zeroes"),
    ];

    private readonly T?[] _queues = new T?[queues];
    private long[] _before = new long[new T().Length];

    /// <summary>The counters of one queue, made when it is first asked for: by its own thread.</summary>
    public T Of(int queue)
    {
        T counters = _queues[queue] ?? new T();
        Volatile.Write(ref _queues[queue], counters);
        return counters;
    }

    /// <summary>Those of all queues that have some.</summary>
    public ReadOnlySpan<T?> Queues => _queues;

    /// <summary>What has been counted under <paramref name="index"/> since the last <see cref="Clear"/>.</summary>
    public long this[int index]
    {
        get
        {
            long[] before = Volatile.Read(ref _before);
            long since = Sum(index) - before[index];
            Invariant.Check(since >= 0);
            return since;
        }
    }

    /// <summary>
    /// Requests answered so far while clients had a latency target, and those of them that took longer; never cleared.
    /// </summary>
    public (long Timed, long Slow) Answers
    {
        get
        {
            (long timed, long slow) = (0, 0);
            for (int i = 0; i < _queues.Length; i++)
            {
                if (Volatile.Read(ref _queues[i]) is not { } queue) continue;
                timed += queue.Latency.Timed;
                slow += queue.Latency.Slow;
            }
            return (timed, slow);
        }
    }

    /// <summary>Adds what has been asked for, by kind.</summary>
    public void ReportRequests(IStatusWriter status)
    {
        foreach ((RequestKind kind, string name) in s_kinds)
        {
            status.Counter($"requests_{name}", this[RequestCounters.RequestsOf(kind)]);
            if (kind != RequestKind.Flush) status.Counter($"{name}_bytes", this[RequestCounters.BytesOf(kind)]);
        }
        status.Counter("requests_fua", this[RequestCounters.Fua]);
    }

    /// <summary>From now on everything counts from zero (the seeds' clear_stat).</summary>
    public void Clear()
    {
        if (Mutant.Is(SharedMutant.CountersZeroed))
        {
            foreach (T? queue in _queues) queue?.Zero();
            return;
        }
        long[] before = new long[_before.Length];
        for (int i = 0; i < before.Length; i++) before[i] = Sum(i);
        Volatile.Write(ref _before, before);
    }

    private long Sum(int index)
    {
        long sum = 0;
        for (int i = 0; i < _queues.Length; i++) sum += Volatile.Read(ref _queues[i])?[index] ?? 0;
        return sum;
    }
}

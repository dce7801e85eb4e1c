using System;
using System.Threading;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Queue;

/// <summary>The volume's queues, by number. Entered by the thread that opens one, looked at by any.</summary>
internal sealed class OpenQueues : IDisposable
{
    private readonly WriteboostQueue?[] _queues = new WriteboostQueue?[ReaderEpoch.MaxQueues];

    /// <summary>Queue number <paramref name="index"/> has been opened.</summary>
    public void Add(int index, WriteboostQueue queue) => Volatile.Write(ref _queues[index], queue);

    /// <summary>
    /// Every queue has looked at the devices since <paramref name="generation"/>; one that has ended looks at nothing
    /// any more.
    /// </summary>
    public bool HaveSeen(int generation)
    {
        for (int i = 0; i < _queues.Length; i++)
            if (Volatile.Read(ref _queues[i]) is { } queue && queue.SeenGeneration < generation) return false;
        return true;
    }

    /// <summary>Requests for device <paramref name="id"/> that are not answered.</summary>
    public long RequestsOf(int id)
    {
        long sum = 0;
        for (int i = 0; i < _queues.Length; i++) sum += Volatile.Read(ref _queues[i])?.RequestsOf(id) ?? 0;
        return sum;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (WriteboostQueue? queue in _queues) queue?.Dispose();
    }
}

using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Bypass;

/// <summary>
/// Backing devices that have refused a write. Nothing goes round the log to them until they have taken what they
/// refused: that lies in the log, and write-back tries it again. Any thread.
/// </summary>
internal sealed class RefusingDevices(BackingTable backings, Drains drains, VolumeHealth health)
{
    private readonly int[] _pending = new int[BackingTable.MaxId + 1];
    private readonly long[] _ends = new long[BackingTable.MaxId + 1];
    private readonly bool[] _refuses = new bool[BackingTable.MaxId + 1];
    private SpinLatch _latch;
    private int _count;
    private volatile string? _reason;

    /// <summary>There is one.</summary>
    public bool IsAny => Volatile.Read(ref _count) != 0;

    /// <summary>Device <paramref name="id"/> has refused something that it has not taken yet.</summary>
    public bool IsRefusing(int id) => IsAny && Volatile.Read(ref _refuses[id]);

    /// <summary>
    /// A write round the log was refused with <paramref name="errno"/>, and is to be logged;
    /// <see cref="Ended"/> must follow.
    /// </summary>
    public void Refused(int id, int errno)
    {
        string reason = $"backing device {backings.NameOf(id)}: it refuses writes that go round the log, which "
            + $"are logged until it takes them: {Errno.Text(errno)}";
        _latch.Enter();
        _pending[id]++;
        _reason = reason;
        Begin(id);
        _latch.Exit();
        health.Hold(Trouble.AroundWrite, reason);
    }

    /// <summary>Write-back was refused something that ends before position <paramref name="end"/>.</summary>
    public void RefusedBatch(int id, long end)
    {
        _latch.Enter();
        _ends[id] = Math.Max(_ends[id], end);
        Begin(id);
        _latch.Exit();
    }

    /// <summary>
    /// What was refused lies in the log before position <paramref name="end"/>; 0: it has failed, and nowhere.
    /// </summary>
    public void Ended(int id, long end)
    {
        _latch.Enter();
        _pending[id]--;
        _ends[id] = Math.Max(_ends[id], end);
        _latch.Exit();
        Heal();
    }

    /// <summary>The mark has moved: who has taken what he refused does not refuse any more.</summary>
    public void Heal()
    {
        if (!IsAny) return;
        _latch.Enter();
        for (int id = BackingTable.MinId; id <= BackingTable.MaxId; id++)
        {
            if (!_refuses[id] || _pending[id] > 0 || !drains.IsWrittenBack(_ends[id])) continue;
            Volatile.Write(ref _refuses[id], false);
            _ends[id] = 0;
            _count--;
        }
        bool isOver = _count == 0;
        _latch.Exit();
        if (!isOver) return;
        health.Pass(Trouble.AroundWrite);
        // Another may have been refused meanwhile, and have said so before this did.
        if (IsAny && _reason is { } reason) health.Hold(Trouble.AroundWrite, reason);
    }

    private void Begin(int id)
    {
        if (!_refuses[id]) _count++;
        Volatile.Write(ref _refuses[id], true);
    }
}

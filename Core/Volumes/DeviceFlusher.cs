using System;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Core.Volumes;

/// <summary>
/// Flushes devices for one user on one thread, as <see cref="FlushLock"/> wants it: take the lock, submit, count every
/// failure and tell whoever must know, give the lock back. (Passthrough
/// flushes with the operations of its clients, under the same lock.)
/// </summary>
internal sealed unsafe class DeviceFlusher : IIoHandler
{
    private struct FlushOp
    {
        public int Device;
    }

    private readonly FlushLock _lock;
    private readonly IoContext _io;
    private readonly ushort _handler;
    private int _left;

    /// <summary>
    /// On the thread that owns <paramref name="io"/>; <paramref name="flushLock"/>: one flush at a time in the volume.
    /// </summary>
    public DeviceFlusher(FlushLock flushLock, IoContext io)
    {
        _lock = flushLock;
        _io = io;
        _handler = io.AddHandler(this);
    }

    /// <summary>
    /// Told of each failure, while the lock is held: the device, by its number, and the negative errno.
    /// </summary>
    public Action<int, int> Failed { get; init; } = static (_, _) => { };

    /// <summary>Told when the last answer has come, after all failures; gives the lock back if it wants to.</summary>
    public Action Ended { get; init; } = static () => { };

    /// <summary>The lock is this flusher's.</summary>
    public bool HasLock { get; private set; }

    /// <summary>A device has not answered.</summary>
    public bool IsUnderWay => _left > 0;

    /// <summary>Flushes that have failed, whoever asked for them: to be noted before what is to be kept.</summary>
    public long FailuresOfAll => _lock.Failures;

    /// <summary>False: somebody else has the lock; the queues are woken when it is free.</summary>
    public bool TryTake() => HasLock = HasLock || _lock.TryTake();

    /// <summary>
    /// Flushes device <paramref name="id"/> through the thread's <paramref name="queue"/>; the lock is held. Its answer
    /// comes with a later turn.
    /// </summary>
    public void Flush(int id, DeviceQueue queue)
    {
        Invariant.Check(HasLock);
        IoOp* op = _io.Acquire(_handler, IoKind.Flush, urgent: true);
        Invariant.Check(op != null);
        op->Own<FlushOp>().Device = id;
        _left++;
        queue.Submit(op);
    }

    /// <summary>Somebody else may flush. Nothing, if the lock is not this flusher's.</summary>
    public void GiveBack()
    {
        if (!HasLock) return;
        Invariant.Check(!IsUnderWay);
        HasLock = false;
        _lock.GiveBack();
    }

    /// <inheritdoc/>
    public void Completed(IoOp* op)
    {
        (int id, int result) = (op->Own<FlushOp>().Device, op->Result);
        _io.Release(op);
        if (result < 0)
        {
            _lock.CountFailure();
            Failed(id, result);
        }
        if (--_left == 0) Ended();
    }
}

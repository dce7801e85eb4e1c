using System;
using System.Runtime.InteropServices;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Native;
using Weir.Native.Uring;

namespace Weir.Core.Devices;

/// <summary>Entries of the two queues of a ring.</summary>
internal readonly record struct RingSize(uint Submissions, uint Completions);

/// <summary>
/// The product's <see cref="IoContext"/>: one io_uring for the sockets and devices of one thread, so that a batch of
/// requests costs one system call. Made, used and disposed on that thread; <see cref="Wake"/> alone is for others.
/// </summary>
/// <remarks>
/// An operation's user data is its index in the pool and, above, the slot's generation; a command's has its own mark.
/// </remarks>
public sealed unsafe partial class RingContext : IoContext
{
    // Places for completions: every operation of the pool, the wake-up and cancellations, as a rule the commands of
    // drivers too, so that the kernel hardly ever has to keep any aside. It counts the queues as locked memory: where
    // little of that is allowed, smaller ones do too.
    private static readonly RingSize[] s_sizes = [new(512, 2 * PoolSize), new(64, PoolSize), new(16, 256)];
    private const int BatchSize = 128;
    private const uint EarlyEntries = 4;
    private const uint WakeMark = uint.MaxValue;
    private const uint IgnoreMark = uint.MaxValue - 1;
    private const int DisposePatienceMs = 30_000;

    private readonly Ring _ring;
    private readonly TimeProvider _time;
    private readonly long _ticksPerUs;
    private readonly io_uring_cqe* _batch;
    private readonly msghdr* _messages;
    private long _nowUs;
    private int _inFlight;
    private bool _closing;

    /// <summary>
    /// Sets the ring up on the calling thread. Throws <see cref="UserErrorException"/> with one line when the kernel is
    /// too old or io_uring is disabled.
    /// </summary>
    /// <param name="time">The clock; the system's without it.</param>
    /// <param name="driverBuffers">Places that drivers may put buffers in, from
    /// <see cref="DriverBuffersStart"/> on.</param>
    public RingContext(TimeProvider? time = null, int driverBuffers = 0)
        : this(time, s_sizes, driverBuffers)
    {
    }

    /// <summary>Takes the first of <paramref name="sizes"/> that the memory-lock limit allows.</summary>
    internal RingContext(TimeProvider? time, ReadOnlySpan<RingSize> sizes, int driverBuffers = 0)
    {
        _time = time ?? TimeProvider.System;
        _ticksPerUs = _time.TimestampFrequency / 1_000_000;
        Invariant.Check(_ticksPerUs > 0);
        _nowUs = ReadClockUs();
        try
        {
            _ring = OpenRing(sizes);
            _wakeUp = new EventFd();
        }
        catch (NativeException e)
        {
            _ring?.Dispose();
            throw new UserErrorException(e.Message);
        }
        _batch = (io_uring_cqe*)NativeMemory.AllocZeroed(BatchSize, (nuint)sizeof(io_uring_cqe));
        _messages = (msghdr*)NativeMemory.AllocZeroed(PoolSize, (nuint)sizeof(msghdr));
        _wakeValue = (ulong*)NativeMemory.AllocZeroed(sizeof(ulong));
        _hasFixedFiles = _ring.RegisterSparse(files: true, FixedFilesMax) >= 0;
        _hasFixedBuffers = _ring.RegisterSparse(files: false, (uint)(FixedBuffersMax + driverBuffers)) >= 0;
        ArmWake();
    }

    /// <inheritdoc/>
    public override long NowUs => _nowUs;

    /// <summary>Operations that the kernel has or is about to get.</summary>
    public int InFlight => _inFlight;

    /// <inheritdoc/>
    public override void Pump(bool wait, long deadlineUs)
    {
        long sleepUs = wait && !HasCompletions ? SleepUs(Math.Min(deadlineUs, NextDueUs)) : 0;
        if (sleepUs > 0 && !TryFallAsleep()) sleepUs = 0;
        if (sleepUs > 0 || MustEnter()) Enter(sleepUs);
        WakeUpAgain();
        _nowUs = ReadClockUs();
        Reap();
    }

    /// <summary>
    /// Cancels what is in flight, waits for it, and closes. The operations' memory must still be there.
    /// </summary>
    public override void Dispose()
    {
        if (_closing) return;
        _closing = true;
        DrainForDispose();
        ReleaseFixed();
        _ring.Dispose();
        _wakeUp.Dispose();
        _zeroes?.Dispose();
        NativeMemory.Free(_batch);
        NativeMemory.Free(_messages);
        NativeMemory.Free(_wakeValue);
        base.Dispose();
    }

    /// <summary>The next entry to write; submits first when the queue is full.</summary>
    internal io_uring_sqe* NextEntry()
    {
        io_uring_sqe* sqe;
        while ((sqe = _ring.Submission.TryReserve()) == null)
            CheckEntered(_ring.Submit(_ring.Submission.Pending));
        return sqe;
    }

    /// <summary>Publishes an entry that carries an operation of the pool.</summary>
    internal void PublishOp()
    {
        _ring.Submission.Publish();
        _inFlight++;
    }

    /// <summary>
    /// Lets the kernel have what is prepared when it is more than a few: a device that waits for the rest of a batch
    /// has less to do than it was given.
    /// </summary>
    internal void SubmitSome()
    {
        if (_ring.Submission.Pending >= EarlyEntries) CheckEntered(_ring.Submit(_ring.Submission.Pending));
    }

    /// <summary>What tells <paramref name="op"/> in a completion.</summary>
    internal static ulong UserData(IoOp* op) => (uint)op->Index | (ulong)op->Generation << 32;

    private Ring OpenRing(ReadOnlySpan<RingSize> sizes)
    {
        _ = MemoryLock.Raise();
        for (int i = 0; ; i++)
        {
            try
            {
                Ring ring = new(sizes[i].Submissions, sizes[i].Completions);
                if (i > 0) Warn($"an io_uring of {sizes[i].Submissions} entries instead of {sizes[0].Submissions}");
                return ring;
            }
            catch (NativeException e) when (e.Errno == Errno.ENOMEM && i + 1 < sizes.Length)
            {
                // The next smaller one.
            }
        }
    }

    private long ReadClockUs() => _time.GetTimestamp() / _ticksPerUs;

    /// <summary>How long to sleep: 0 not at all, <see cref="long.MaxValue"/> until something happens.</summary>
    private long SleepUs(long deadlineUs)
    {
        if (_ring.Completion.Ready > 0) return 0;
        if (deadlineUs == long.MaxValue) return long.MaxValue;
        return Math.Max(0, deadlineUs - ReadClockUs());
    }

    /// <summary>
    /// There is something to submit, or deferred completions to be had, or an overflow to be fetched.
    /// </summary>
    private bool MustEnter() => _ring.Submission.Pending > 0
        || (_ring.Submission.Flags & (UringConst.IORING_SQ_TASKRUN | UringConst.IORING_SQ_CQ_OVERFLOW)) != 0;

    private void Enter(long sleepUs)
    {
        __kernel_timespec timeout = default;
        if (sleepUs != long.MaxValue)
            timeout = new() { tv_sec = sleepUs / 1_000_000, tv_nsec = sleepUs % 1_000_000 * 1000 };
        __kernel_timespec* limit = sleepUs is 0 or long.MaxValue ? null : &timeout;
        CheckEntered(_ring.Enter(_ring.Submission.Pending, sleepUs > 0 ? 1u : 0u, limit));
    }

    /// <summary>
    /// Time over, a signal, memory short for a moment: the next turn goes on. The rest are our own bugs.
    /// </summary>
    private static void CheckEntered(int result) => Invariant.Check(
        result >= 0 || result is -Errno.ETIME or -Errno.EINTR or -Errno.EBUSY or -Errno.EAGAIN);

    /// <summary>
    /// Copies completions out in batches, then hands them on: nothing is run while the queue is read.
    /// </summary>
    private void Reap()
    {
        int count;
        do
        {
            count = _ring.Completion.CopyOut(new Span<io_uring_cqe>(_batch, BatchSize));
            for (int i = 0; i < count; i++) Dispatch(_batch[i].user_data, _batch[i].res);
        }
        while (count == BatchSize);
    }

    private void Dispatch(ulong userData, int result)
    {
        uint low = (uint)userData;
        if (low == WakeMark) OnWake();
        else if (low == IgnoreMark) return;
        else if ((low & CommandMark) != 0) FinishCommand(low, result);
        else Finish(At((int)low), (uint)(userData >> 32), result);
    }

    private void Finish(IoOp* op, uint generation, int result)
    {
        // A slot given back while the kernel still had it would be memory corruption soon.
        Invariant.Check(op->Generation == generation);
        Invariant.Check(op->Kind != IoKind.None);
        _inFlight--;
        if (_closing) return;
        int queue = op->DeviceState<FileOp>().Queue;
        if (queue != SocketOp.NoQueue) _files[queue]!.Advance(op, result);
        else FinishSocket(op, result);
    }

    private void DrainForDispose()
    {
        Sqe.CancelAll(NextEntry(), IgnoreMark);
        _ring.Submission.Publish();
        const int stepMs = 100;
        for (int waitedMs = 0; (_inFlight > 0 || _wakeArmed) && waitedMs < DisposePatienceMs; waitedMs += stepMs)
        {
            Enter(stepMs * 1000);
            Reap();
        }
    }
}

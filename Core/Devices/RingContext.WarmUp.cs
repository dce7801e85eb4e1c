using System;
using Weir.Core.Base;
using Weir.Native;
using Weir.Native.Uring;

namespace Weir.Core.Devices;

/// <content>The kernel's own memory for what is under way, taken ahead of need.</content>
public sealed unsafe partial class RingContext
{
    // The kernel keeps the memory of 128 reads and writes, and of every request (IO_ALLOC_CACHE_MAX in
    // include/linux/io_uring_types.h; the free list of io_uring.c). As many again go through its slabs.
    private const int WarmUpReads = 256;

    /// <summary>
    /// Has the kernel take the memory for as many requests as may be under way; it keeps it. Taken when memory
    /// is short, it may have to wait for pages to be written back, to the very devices that this thread serves. For the
    /// same reason there is one worker for flushes and whatever else blocks: the kernel ends others when they are idle,
    /// and makes new ones in bad times. To be called before there are operations. Throws
    /// <see cref="UserErrorException"/> when descriptors are short.
    /// </summary>
    public void WarmUp()
    {
        Invariant.Check(_inFlight == 0);
        ulong value;
        using EventFd source = OpenSemaphore();
        for (int i = 0; i < WarmUpReads; i++)
        {
            Sqe.Read(NextEntry(), new FileRef(source.Descriptor, false), &value, sizeof(ulong), 0, IgnoreMark);
            _ring.Submission.Publish();
        }
        Invariant.Check(_ring.LimitWorkers(1) >= 0);
        io_uring_sqe* makesTheWorker = NextEntry();
        Sqe.Nop(makesTheWorker, IgnoreMark);
        makesTheWorker->flags |= UringConst.IOSQE_ASYNC;
        _ring.Submission.Publish();
        CheckEntered(_ring.Submit(_ring.Submission.Pending));
        source.Signal(WarmUpReads);
        for (int done = 0; done < WarmUpReads + 1;)
        {
            CheckEntered(_ring.Enter(_ring.Submission.Pending, waitFor: 1, timeout: null));
            done += _ring.Completion.CopyOut(new Span<io_uring_cqe>(_batch, BatchSize));
        }
    }

    /// <summary>
    /// A file is served whose every operation takes a worker until it is done, perhaps for ever: what others ask for,
    /// flushes above all, shall not wait for one to be free.
    /// </summary>
    internal void AllowWorkers() => Invariant.Check(_ring.LimitWorkers(PoolSize) >= 0);

    private static EventFd OpenSemaphore()
    {
        try
        {
            return new EventFd(isSemaphore: true);
        }
        catch (NativeException e)
        {
            throw new UserErrorException(e.Message);
        }
    }
}

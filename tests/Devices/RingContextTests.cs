using System;
using System.Threading;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Native;
using Weir.Native.Uring;
using Xunit;

namespace Weir.Tests.Devices;

public sealed unsafe class RingContextTests
{
    private const long PatienceUs = 20_000_000;

    [Fact]
    public void ThisKernelWillDo() => Assert.Null(Features.Problem());

    [Theory]
    [InlineData(Errno.ENOSYS, "no io_uring")]
    [InlineData(Errno.EINVAL, "too old")]
    [InlineData(Errno.EPERM, "io_uring")]
    [InlineData(Errno.ENOMEM, "ulimit -l")]
    public void SetupFailuresSayWhatHelps(int errno, string part)
    {
        string problem = Features.SetupProblem(errno);
        Assert.Contains(part, problem);
        Assert.DoesNotContain("\n", problem);
    }

    /// <summary>What ublk will need: entries of 128 bytes, completions of 32.</summary>
    [Fact]
    public void BigEntriesAreLaidOutAsTheKernelReadsThem()
    {
        using Ring ring = new(8, 16, UringConst.IORING_SETUP_SQE128 | UringConst.IORING_SETUP_CQE32);
        io_uring_cqe* batch = stackalloc io_uring_cqe[16];
        for (ulong round = 0; round < 5; round++)
        {
            for (ulong i = 0; i < 8; i++)
            {
                io_uring_sqe* sqe = ring.Submission.TryReserve();
                Assert.True(sqe != null);
                Sqe.Nop(sqe, round * 100 + i);
                ring.Submission.Publish();
            }
            Assert.True(ring.Submission.TryReserve() == null);
            Assert.Equal(8, ring.Enter(8, 8, null));
            Assert.Equal(8, ring.Completion.CopyOut(new Span<io_uring_cqe>(batch, 16)));
            for (ulong i = 0; i < 8; i++) Assert.Equal(round * 100 + i, batch[i].user_data);
        }
    }

    [Fact]
    public void PumpReturnsAtTheDeadline()
    {
        using DeviceClient h = new();
        h.Io.Pump(false, long.MaxValue);
        long deadlineUs = h.Io.NowUs + 20_000;
        h.Io.Pump(true, deadlineUs);
        Assert.True(h.Io.NowUs >= deadlineUs);
        // In the past: no sleep, and no failure.
        h.Io.Pump(true, 0);
    }

    /// <summary>It leaves nothing behind, and the ring serves as before; a small one, too.</summary>
    [Theory]
    [InlineData(512, 1024)]
    [InlineData(16, 256)]
    public void AWarmUpLeavesTheRingAsItWas(uint submissions, uint completions)
    {
        using TemporaryFile file = new(65536);
        using DeviceClient h = new(new RingContext(null, [new RingSize(submissions, completions)]));
        h.Io.WarmUp();
        Assert.True(SleepsOut(h.Io, 1000));
        h.Io.Wake();
        Assert.False(SleepsOut(h.Io, PatienceUs));
        using FileDevice device = FileDevice.Open(file.Path);
        device.OpenQueue(h.Io).Submit(h.Op(IoKind.Read, 4096, 8192, h.Memory));
        h.Drain();
        Assert.Equal([(0, 8192)], h.Results);
    }

    /// <summary>What is said to an owner at work counts for its next sleep, and only for that.</summary>
    [Fact]
    public void AWakeBeforeTheSleepIsNotForgotten()
    {
        using DeviceClient h = new();
        h.Io.Wake();
        h.Io.Wake();
        Assert.False(SleepsOut(h.Io, PatienceUs));
        Assert.True(SleepsOut(h.Io, 1000));
    }

    [Fact]
    public void WakeEndsASleepWithoutDeadline()
    {
        using DeviceClient h = new();
        for (int i = 0; i < 20; i++)
        {
            Thread waker = new(() =>
            {
                Thread.Sleep(2);
                h.Io.Wake();
            });
            waker.Start();
            h.Io.Pump(true, long.MaxValue);
            waker.Join();
        }
    }

    /// <summary>Two threads hand a counter over, asleep in between: no sleep may last.</summary>
    [Fact]
    public void NoWakeIsLost()
    {
        const int rounds = 20_000;
        int turn = 0, lost = 0;
        RingContext[] contexts = new RingContext[2];
        using Barrier ready = new(2), done = new(2);
        void Play(int me)
        {
            contexts[me] = new RingContext();
            ready.SignalAndWait();
            while (true)
            {
                int now = Volatile.Read(ref turn);
                if (now >= rounds) break;
                if (now % 2 == me)
                {
                    Volatile.Write(ref turn, now + 1);
                    contexts[1 - me].Wake();
                }
                else if (SleepsOut(contexts[me], PatienceUs)) Interlocked.Increment(ref lost);
            }
            contexts[1 - me].Wake();
            done.SignalAndWait();
            contexts[me].Dispose();
        }
        Thread other = new(() => Play(1));
        other.Start();
        Play(0);
        other.Join();
        Assert.Equal(0, lost);
        Assert.Equal(rounds, turn);
    }

    [Fact]
    public void ThreadsShareADeviceEachWithARingOfItsOwn()
    {
        const int threads = 4, blocks = 400;
        using TemporaryFile file = new(threads * blocks * 4096L);
        using FileDevice device = FileDevice.Open(file.Path);
        int failures = 0;
        void Work(int me)
        {
            using DeviceClient h = new();
            _ = h.Io.RegisterSlab(h.Memory, h.MemoryBytes);
            DeviceQueue queue = device.OpenQueue(h.Io);
            DeviceClient.Fill(h.Memory, blocks * 4096L, me);
            long start = me * blocks * 4096L;
            for (int i = 0; i < blocks; i++)
                queue.Submit(h.Op(IoKind.Write, start + i * 4096L, 4096, h.Memory + i * 4096L));
            h.Drain();
            byte* back = h.Memory + (4 << 20);
            for (int i = 0; i < blocks; i++)
                queue.Submit(h.Op(IoKind.Read, start + i * 4096L, 4096, back + i * 4096L));
            h.Drain();
            if (!DeviceClient.Same(h.Memory, back, blocks * 4096L)) Interlocked.Increment(ref failures);
        }
        Thread[] workers = new Thread[threads];
        for (int i = 0; i < threads; i++)
        {
            int me = i;
            workers[i] = new Thread(() => Work(me));
            workers[i].Start();
        }
        foreach (Thread worker in workers) worker.Join();
        Assert.Equal(0, failures);
    }

    [Fact]
    public void BuffersAreFoundOnlyWhereTheWholeRangeIsRegistered()
    {
        using DeviceClient h = new();
        byte* start = h.Memory + 4096;
        Assert.True(h.Io.RegisterSlab(start, 1 << 20));
        Assert.True(h.Io.RegisterSlab(start + (2 << 20), 1 << 20));
        Assert.Equal(0, h.Io.FindBuffer(start, 1 << 20));
        Assert.Equal(0, h.Io.FindBuffer(start + (1 << 20) - 512, 512));
        Assert.Equal(1, h.Io.FindBuffer(start + (2 << 20), 512));
        Assert.Equal(-1, h.Io.FindBuffer(start - 512, 512));
        Assert.Equal(-1, h.Io.FindBuffer(start + 512, 1 << 20));
        Assert.Equal(-1, h.Io.FindBuffer(start + (1 << 20), 512));
        Assert.Null(h.Io.Warning);
    }

    [Fact]
    public void MemoryThatCannotBePinnedIsAWarningNotAFailure()
    {
        using DeviceClient h = new();
        // Nothing is mapped there: no right to lock and no memory at all are one to the caller.
        Assert.False(h.Io.RegisterSlab((byte*)65536, 65536));
        Assert.Contains("buffers", h.Io.Warning);
        Assert.Equal(-1, h.Io.FindBuffer((byte*)65536, 512));
    }

    [Fact]
    public void AFullTableOfBuffersIsNoFailure()
    {
        using TemporaryFile file = new(1 << 20);
        using DeviceClient h = new();
        bool all = true;
        for (int i = 0; i < 100; i++) all &= h.Io.RegisterSlab(h.Memory + i * 8192, 8192);
        Assert.False(all);
        Assert.Null(h.Io.Warning);
        using FileDevice device = FileDevice.Open(file.Path);
        Assert.Equal(4096, h.Run(device.OpenQueue(h.Io), IoKind.Read, 0, 4096, h.Memory + 99 * 8192));
    }

    /// <summary>Queues that a low memory-lock limit leaves: the kernel keeps completions aside, none is lost.</summary>
    [Fact]
    public void SmallQueuesTakeAsManyOperations()
    {
        const int count = IoContext.PoolSize - IoContext.Reserve;
        using TemporaryFile file = new(1 << 20);
        using FileDevice device = FileDevice.Open(file.Path);
        using DeviceClient h = new(new RingContext(null, [new RingSize(4, 8)]));
        Assert.Null(h.Io.Warning);
        DeviceQueue queue = device.OpenQueue(h.Io);
        Assert.Equal(0, Sockets.Pair(out int a, out int b));
        DeviceClient.Fill(h.Memory, 1 << 20, 1);
        for (int i = 0; i < count / 2; i++)
        {
            queue.Submit(h.Op(IoKind.Write, i % 256 * 4096L, 4096, h.Memory + i % 256 * 4096L));
            h.Io.Receive(h.Op(IoKind.Other, 0, 1, h.Memory + (2 << 20) + i), b);
        }
        Assert.Equal(count / 2, Libc.Write(a, h.Memory, count / 2));
        h.Drain();
        Assert.Equal(count / 2 * 2, h.Results.Count);
        Assert.All(h.Results, result => Assert.True(result.Result is 1 or 4096));
        Assert.True(new ReadOnlySpan<byte>(h.Memory, 1 << 20).SequenceEqual(file.Read()));
        Assert.Equal((0, 0), (Libc.Close(a), Libc.Close(b)));
    }

    [Fact]
    public void NothingIsAllocatedUnderLoad()
    {
        const int depth = 64;
        using TemporaryFile file = new(1 << 20);
        using FileDevice device = FileDevice.Open(file.Path);
        using RamDevice ram = new(1 << 20);
        SlowDevice slow = new(ram, new DiskArm(1 << 20, 10, 1 << 30), "slow:test");
        using DeviceClient h = new();
        DeviceQueue[] queues = [device.OpenQueue(h.Io), ram.OpenQueue(h.Io), slow.OpenQueue(h.Io)];
        long before = 0;
        for (int round = 0; round < 120; round++)
        {
            // The first rounds warm up: code is compiled, the zeroes of the fallback are mapped.
            if (round == 20) before = GC.GetAllocatedBytesForCurrentThread();
            foreach (DeviceQueue queue in queues)
                for (int i = 0; i < depth; i++)
                    queue.Submit(h.Op((IoKind)(1 + i % 2), i * 4096L, 4096, h.Memory + i * 4096L));
            foreach (DeviceQueue queue in queues)
            {
                queue.Submit(h.Op(IoKind.Flush, 0, 0, null));
                queue.Submit(h.Op(IoKind.WriteZeroes, 0, 8192, null));
                queue.Submit(h.Op(IoKind.Discard, 8192, 8192, null));
            }
            h.Io.Wake();
            h.Drain();
            h.Results.Clear();
            h.CompletedUs.Clear();
        }
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    /// <summary>Nothing ended the sleep but its deadline.</summary>
    private static bool SleepsOut(RingContext io, long us)
    {
        long deadlineUs = io.NowUs + us;
        io.Pump(true, deadlineUs);
        return io.NowUs >= deadlineUs;
    }
}

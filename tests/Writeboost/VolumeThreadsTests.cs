using System;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Weir.Core.Writeboost.Volume;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>
/// Several queue threads on one small volume, on real rings and RAM devices: segments, RAM segments and the range
/// budget run out all the time, write-back runs beside. Each thread owns every n-th block and checks what it reads.
/// </summary>
public sealed unsafe class VolumeThreadsTests
{
    private const int Threads = 3, Blocks = 3000, Depth = 16;

    /// <summary>
    /// On a slow cache device a queue has acknowledged writes whose records are still under way when it must stop.
    /// </summary>
    [Theory]
    [InlineData(20_000, 0, 0)]
    [InlineData(20_000, 0, 127)]
    [InlineData(300, 3000, 127)]
    public void ThreadsShareOneVolume(int requests, long seekUs, int readCacheThreshold)
    {
        using RamDevice backing = new((long)Blocks << 12);
        using RamDevice fast = new(4 << 20);
        using Device cache = seekUs == 0 ? fast : new SlowDevice(fast, new DiskArm(4 << 20, seekUs, 1L << 30), "slow");
        ulong[] expected = new ulong[Blocks];
        for (int life = 0; life < 2; life++)
        {
            using RingContext io = new();
            if (life == 0) WriteboostFormat.Format(io, cache, Layout.Native, 128 << 10, Guid.NewGuid);
            WriteboostOptions options = new()
            {
                RamSegments = 4, RangeBudget = 16, IdleUs = 1000, SyncIntervalUs = 20_000,
                ReadCacheThreshold = readCacheThreshold,
            };
            WriteboostVolume volume = WriteboostVolume.Open(
                io, cache, [new BackingSpec(null, "disk", backing)], new PrivateMemory(), options);
            int first = life * Threads;
            TestThreads.Run(Threads, i => new Worker(i, expected, (ulong)(first + i), requests).Run(volume));
            Assert.Equal(VolumeState.Healthy, volume.Health.State);
        }
    }

    [Fact]
    public void AQueueStaysUntilItsLogWritesHaveComeBack()
    {
        using RamDevice backing = new((long)Blocks << 12), fast = new(4 << 20);
        using SlowDevice cache = new(fast, new DiskArm(4 << 20, 30_000, 1L << 30), "slow");
        using RingContext first = new();
        WriteboostFormat.Format(first, cache, Layout.Native, 128 << 10, Guid.NewGuid);
        WriteboostVolume volume = WriteboostVolume.Open(
            first, cache, [new BackingSpec(null, "disk", backing)], new PrivateMemory(), new());
        IVolumeQueue firstQueue = volume.OpenQueue(0, first);
        using (RingContext second = new())
        {
            IVolumeQueue queue = volume.OpenQueue(1, second);
            FillARecord(queue);
            queue.BeginStop();
            Assert.Equal(StopStatus.Stopped, Stop(second, queue));
        }
        firstQueue.BeginStop();
        Assert.Equal(StopStatus.Stopped, Stop(first, firstQueue));
    }

    // Acknowledged at once; the record's one write is on its way then.
    private static void FillARecord(IVolumeQueue queue)
    {
        using AlignedMemory memory = new(40 * 4096);
        Request request = new() { Kind = RequestKind.Write, LengthBytes = 40 * 4096, Data = memory.Pointer };
        queue.Submit(&request);
        Assert.True(queue.TakeCompleted() == &request);
    }

    private static StopStatus Stop(RingContext io, IVolumeQueue queue)
    {
        long endUs = io.NowUs + 20_000_000;
        while (!queue.StopStatus.IsOver && io.NowUs < endUs) QueueDriver.Turn(io, queue);
        return queue.StopStatus;
    }

    private sealed class Worker
    {
        private const long PatienceUs = 120_000_000;

        private readonly int _number;
        private readonly int _requests;
        private readonly ulong[] _expected;
        private readonly bool[] _busy = new bool[Blocks];
        private Prng _random;

        public Worker(int number, ulong[] expected, ulong seed, int requests) =>
            (_number, _expected, _random, _requests) = (number, expected, new Prng(seed), requests);

        // The ring goes first: it waits for operations that use the memory.
        public void Run(WriteboostVolume volume)
        {
            using AlignedMemory memory = new(Depth * 4096);
            using AlignedMemory slots = new(Depth * 4096);
            using RingContext io = new();
            Serve(io, volume.OpenQueue(_number, io), memory, slots);
        }

        private void Serve(RingContext io, IVolumeQueue queue, AlignedMemory memory, AlignedMemory slots)
        {
            Request*[] free = new Request*[Depth];
            for (int i = 0; i < Depth; i++)
            {
                free[i] = (Request*)(slots.Pointer + (i * 4096));
                free[i]->Data = memory.Pointer + (i * 4096);
            }
            int count = Depth, sent = 0;
            long doneUs = io.NowUs;
            while (sent < _requests || count < Depth)
            {
                Assert.True(io.NowUs - doneUs < PatienceUs, "a request hangs");
                while (count > 0 && sent < _requests && TryPrepare(free[count - 1], sent))
                {
                    queue.Submit(free[--count]);
                    sent++;
                }
                QueueDriver.Turn(io, queue, count == 0 || sent == _requests ? 1000 : 0);
                while (queue.TakeCompleted() is var done && done != null)
                {
                    Check(done);
                    free[count++] = done;
                    doneUs = io.NowUs;
                }
            }
            queue.BeginStop();
            for (doneUs = io.NowUs; !queue.StopStatus.IsOver && io.NowUs - doneUs < PatienceUs;)
                QueueDriver.Turn(io, queue);
            Assert.Equal(StopStatus.Stopped, queue.StopStatus);
        }

        private bool TryPrepare(Request* request, int sent)
        {
            int block = (_random.Below(Blocks / Threads) * Threads) + _number;
            if (_busy[block]) return false;
            int pick = _random.Below(100);
            byte* data = request->Data;
            *request = default;
            request->Data = data;
            request->Kind = pick < 45 ? RequestKind.Write : pick < 90 ? RequestKind.Read
                : pick < 95 ? RequestKind.Flush : RequestKind.Discard;
            request->FrontendInt = block;
            if (request->Kind == RequestKind.Flush) return true;
            (request->OffsetBytes, request->LengthBytes) = ((long)block << 12, 4096);
            request->Flags = request->Kind == RequestKind.Write && pick < 3 ? RequestFlags.Fua : RequestFlags.None;
            _busy[block] = true;
            if (request->Kind == RequestKind.Write) Fill(request, ((ulong)(sent + 1) << 20) | (uint)block);
            if (request->Kind == RequestKind.Discard) _expected[block] = 0;
            return true;
        }

        private void Fill(Request* request, ulong value)
        {
            new Span<ulong>(request->Data, 512).Fill(value);
            _expected[request->FrontendInt] = value;
        }

        private void Check(Request* request)
        {
            Assert.Equal(0, request->Result);
            if (request->Kind == RequestKind.Flush) return;
            _busy[request->FrontendInt] = false;
            if (request->Kind != RequestKind.Read) return;
            ulong expected = _expected[request->FrontendInt];
            int wrong = new ReadOnlySpan<ulong>(request->Data, 512).IndexOfAnyExcept(expected);
            Assert.True(wrong < 0, $"block {request->FrontendInt}, word {wrong}: not {expected:x}");
        }
    }
}

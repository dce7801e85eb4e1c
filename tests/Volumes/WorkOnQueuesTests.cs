using System;
using System.Collections.Generic;
using System.Threading;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Frontends;
using Weir.Tests.Nbd;
using Xunit;

namespace Weir.Tests.Volumes;

/// <summary>An engine with background work on each of its queues, on the product's threads.</summary>
public sealed unsafe class WorkOnQueuesTests
{
    private const int Queues = 2;

    /// <summary>Each task on the thread of its queue; whichever ends its work first, the stop waits for both.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void AStopWaitsForTheWorkOfBothQueues(int first)
    {
        WorkingVolume volume = new();
        QueueThread[] threads = Start(volume);
        NbdHost.Until(() => volume.WorkedOn[0] != 0 && volume.WorkedOn[1] != 0, "work on both queues");
        Assert.NotEqual(volume.WorkedOn[0], volume.WorkedOn[1]);
        QueueThread.StopAll(threads);
        volume.Release(first);
        NbdHost.Until(() => volume.Awaited[first] == "the others", "the end of one queue's work");
        Assert.False(volume.HasEnded[first]);
        volume.Release(1 - first);
        Assert.Equal(0, QueueThread.JoinAll(threads));
        Assert.True(volume.HasEnded[0] && volume.HasEnded[1]);
        foreach (QueueThread thread in threads) thread.Dispose();
    }

    /// <summary>What one queue could not make durable is the result of all.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void TheWorkThatFailsIsTheResult(int which)
    {
        WorkingVolume volume = new() { Failing = which };
        QueueThread[] threads = Start(volume);
        for (int i = 0; i < Queues; i++) volume.Release(i);
        QueueThread.StopAll(threads);
        Assert.Equal(-5, QueueThread.JoinAll(threads));
        foreach (QueueThread thread in threads) thread.Dispose();
    }

    private static QueueThread[] Start(WorkingVolume volume)
    {
        QueueThread[] threads = new QueueThread[Queues];
        for (int i = 0; i < Queues; i++)
        {
            threads[i] = new QueueThread(
                i, static () => new RingContext(), [volume], new IdleFrontend(), static _ => { });
        }
        QueueThread.StartAll(threads);
        return threads;
    }

    private sealed class WorkingVolume : IVolume
    {
        private readonly bool[] _mayEnd = new bool[Queues];

        public QueueSet Set { get; } = new(Queues);
        public VolumeHealth Health { get; } = new(static _ => { });
        public int Failing { get; init; } = -1;

        // By queue: the thread that works, what its stop waits for, whether that has ended.
        public int[] WorkedOn { get; } = new int[Queues];
        public string?[] Awaited { get; } = new string?[Queues];
        public bool[] HasEnded { get; } = new bool[Queues];

        public string Engine => "working";
        public IReadOnlyList<IVolumeExport> Exports => [];
        public bool ReadOnly => false;

        public bool MayEnd(int index) => Volatile.Read(ref _mayEnd[index]);

        public void Release(int index)
        {
            Volatile.Write(ref _mayEnd[index], true);
            Set.Wake(index);
        }

        public IVolumeQueue OpenQueue(int index, IoContext io) => new WorkingQueue(this, index, io);

        public void Report(IStatusWriter status)
        {
        }

        public void Dispose()
        {
        }
    }

    private sealed class WorkingQueue : IVolumeQueue, IBackgroundTask
    {
        private readonly WorkingVolume _volume;
        private readonly int _index;
        private readonly QueueWaker _waker;
        private readonly BackgroundTasks _background;

        public WorkingQueue(WorkingVolume volume, int index, IoContext io)
        {
            (_volume, _index) = (volume, index);
            _waker = volume.Set.Open(index, io);
            _background = new BackgroundTasks(
                volume.Health, isReadOnly: false, [new("work", BackgroundState.Working, this)], new()
                {
                    [BackgroundState.Stopping] =
                    [
                        new("own work", () => volume.MayEnd(index), EndOwn),
                        new("the others", () => volume.Set.HaveAllStopped, End),
                    ],
                });
        }

        public IVolumeBackground Background => _background;

        public StopStatus StopStatus => _background.StopStatus;

        public long DeadlineUs => _waker.IsWoken ? 0 : _background.DeadlineUs;

        public void Poll(long nowUs)
        {
            _waker.Take();
            _background.Poll(nowUs);
            Volatile.Write(ref _volume.Awaited[_index], _background.Awaited);
            Volatile.Write(ref _volume.HasEnded[_index], StopStatus.IsOver);
        }

        public void BeginStop() => _background.BeginStop();

        public void Submit(Request* request) => throw new NotSupportedException();

        public Request* TakeCompleted() => null;

        public int BlockStatus(int device, StatusContext context, long offsetBytes, long lengthBytes,
            Span<Extent> extents) => throw new NotSupportedException();

        void IBackgroundTask.Poll(long nowUs, BackgroundState state) =>
            Volatile.Write(ref _volume.WorkedOn[_index], Environment.CurrentManagedThreadId);

        long IBackgroundTask.DeadlineUs => long.MaxValue;

        private StopStatus EndOwn()
        {
            _volume.Set.NoteStopped();
            return StopStatus.Running;
        }

        private StopStatus End()
        {
            _waker.Leave();
            return _index == _volume.Failing ? StopStatus.Failed(-5) : StopStatus.Stopped;
        }
    }
}

using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Xunit;

namespace Weir.Tests.Volumes;

/// <summary>A drain asks of a volume what the contract has, and nothing of how the engine writes back.</summary>
public sealed unsafe class DrainerTests
{
    [Fact]
    public void ADrainEndsWhenAllIsWrittenBackAndTheStopIsOver()
    {
        using RingContext io = new();
        using Leaky volume = new() { Blocks = 7 };
        List<long> left = [];
        Drainer drainer = new(volume, io);
        Assert.Equal(0, drainer.Run(static () => false, at => left.Add(at.DirtyBlocks)));
        Assert.True(drainer.HasReachedEnd);
        Assert.True(volume.IsCold);
        Assert.True(volume.StopStatus.IsOver);
        Assert.Equal(0, left[^1]);
    }

    [Fact]
    public void ADrainThatIsCalledOffStopsInOrderAndSaysSo()
    {
        using RingContext io = new();
        using Leaky volume = new() { Blocks = long.MaxValue };
        int asked = 0;
        Drainer drainer = new(volume, io);
        Assert.Equal(1, drainer.Run(() => ++asked > 3, static _ => { }));
        Assert.False(drainer.HasReachedEnd);
        Assert.True(volume.IsCold);
        Assert.True(volume.StopStatus.IsOver);
    }

    [Fact]
    public void WhatIsLostIsNoDrain()
    {
        using RingContext io = new();
        using Leaky volume = new() { Blocks = 2, LostBlockCount = 1 };
        Drainer drainer = new(volume, io);
        Assert.Equal(1, drainer.Run(static () => false, static _ => { }));
        Assert.True(drainer.HasReachedEnd);
    }

    [Fact]
    public void WhoGivesUpWhereNothingCanBeIsToldBeforeAnythingIsDone()
    {
        using RingContext io = new();
        using Leaky volume = new() { Blocks = 2 };
        Drainer drainer = new(volume, io) { GivesUp = ["all"] };
        UserErrorException error =
            Assert.Throws<UserErrorException>(() => drainer.Run(static () => false, static _ => { }));
        Assert.Contains("engine leaky has nothing that could be given up", error.Message);
        Assert.Equal(2, volume.DrainBlocksLeft);
    }

    /// <summary>Loses one dirty block a turn, once it is drained; the least that an engine has to say.</summary>
    private sealed class Leaky : IDrainable, IVolumeQueue
    {
        private bool _isDraining;
        private bool _isStopped;

        public long Blocks { get; set; }

        public bool IsCold { get; private set; }

        public long LostBlockCount { get; init; }

        public VolumeHealth Health { get; } = new(static _ => { });

        public string StillDirty => $"{Blocks} blocks are";

        public long DrainBlocksLeft => Blocks;

        public string Engine => "leaky";

        public IReadOnlyList<IVolumeExport> Exports => [];

        public bool ReadOnly => false;

        public long DeadlineUs => 0;

        public StopStatus StopStatus => _isStopped ? StopStatus.Stopped : StopStatus.Running;

        public long Drain()
        {
            _isDraining = true;
            return 1;
        }

        public bool IsWrittenBack(long position) => Blocks == 0;

        public void OutdateClean() => IsCold = true;

        public IVolumeQueue OpenQueue(int index, IoContext io) => this;

        public void Poll(long nowUs)
        {
            if (_isDraining && Blocks > 0) Blocks--;
        }

        public void BeginStop() => _isStopped = true;

        public void Submit(Request* request) => throw new NotSupportedException();

        public Request* TakeCompleted() => null;

        public int BlockStatus(
            int device, StatusContext context, long offsetBytes, long lengthBytes, Span<Extent> extents) => 0;

        public void Report(IStatusWriter status)
        {
        }

        public void Dispose()
        {
        }
    }
}

using System;
using Weir.Core.Base;
using Weir.Core.Cleaning;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Bypass;
using Weir.Core.Writeboost.Errors;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Orders;
using Weir.Core.Writeboost.Queue;

namespace Weir.Core.Writeboost.Volume;

/// <content>The parts that the volume hands out, and what users may ask of them.</content>
public sealed unsafe partial class WriteboostVolume
{
    /// <summary>The superblock as last written or about to be; changed on the first queue's thread only.</summary>
    public ref Superblock Superblock => ref State.Now;

    internal SuperblockState State { get; }

    internal LogMemory Memory { get; }

    internal ActivityMark Activity { get; } = new();

    internal RangePressure RangePressure { get; }

    internal CleaningLoad Load { get; private set; } = null!;

    internal RoomRefusal RoomRefusal { get; } = new();

    internal WritebackProgress Progress { get; } = new();

    internal LogHoldings Holdings { get; }

    internal DirtyData DirtyData { get; private set; } = null!;

    internal Drains Drains { get; private set; } = null!;

    internal Hangs Hangs { get; }

    internal WritesAround Around { get; }

    internal CleanValidity Clean { get; private set; } = null!;

    internal AroundLosses AroundLosses { get; private set; } = null!;

    internal RefusingDevices Refusals { get; private set; } = null!;

    internal ServedAlone Alone { get; }

    internal RotReports Rot { get; private set; } = null!;

    internal LostData Lost { get; private set; } = null!;

    internal GiveUpOrders GiveUps { get; private set; } = null!;

    internal FlushOrders Flushes { get; private set; } = null!;

    internal SuperblockOrders Commits { get; }

    internal GrowthOrders Growth { get; }

    internal ResumeOrders Resumes { get; private set; } = null!;

    internal WritebackOrders Writebacks { get; private set; } = null!;

    private QueueParts QueueParts => new()
    {
        Options = Options, Health = Health, Queues = Queues, Counters = Counters, Activity = Activity,
        Backings = Backings, Cache = Cache, Log = Log, Memory = Memory, Readers = Readers, Throttle = Throttle,
        NoRoom = RoomRefusal, Index = Index, Ranges = Ranges, RangePressure = RangePressure, Versions = Versions,
        Changes = Changes, Rot = Rot, Around = Around, AroundLosses = AroundLosses, FlushLock = FlushLock,
        Refusals = Refusals, Clean = Clean, Samples = Fingerprints, Alone = Alone, Work = NewWork,
    };

    private QueueWork NewWork(QueuePorts ports)
    {
        WriteboostTasks tasks = new(this, ports);
        return new QueueWork(tasks.Background, tasks);
    }

    internal HangWatch NewHangWatch() => new(Hangs, Backings, Progress, Drains, Log);

    // What is made of the log, once that has been found.
    private void Serve(SegmentLog log, long keptEnd, bool wasAbsent)
    {
        Log = log;
        DirtyData = new DirtyData(log, Index, Ranges, Backings, Health);
        Drains = new Drains(log, DirtyData, Progress, Health, Queues);
        Clean = new CleanValidity(log, State, Backings, Cache, Options, keptEnd, wasAbsent);
        AroundLosses = new AroundLosses(Around, Clean, Backings, Health, Queues);
        Refusals = new RefusingDevices(Backings, Drains, Health);
        Rot = new RotReports(Cache, log, Index, Backings, Clean, Health, Options);
        Lost = new LostData(Cache, Layout, log, Index, Ranges, Backings);
        GiveUps = new GiveUpOrders(Lost, log, Backings, Drains, Queues, Cache, Options);
        Flushes = new FlushOrders(log, Around, DirtyData, Alone, Health, Queues);
        Resumes = new ResumeOrders(Around, Refusals, Alone, Flushes, Health, Queues);
        DeviceOrders = new DeviceOrders(Backings, DeviceTable, Identity, Evidence, Fingerprints, DirtyData, Lost,
            Queues, Options, StaleMarker, NewHangWatch);
        Load = new CleaningLoad(log, RangePressure, Drains, Backings, Activity, Counters, Options);
        Governor = new CleaningGovernor(Load, Options, Throttle);
        Writebacks = new WritebackOrders(log, DirtyData, Drains, Progress, Lost, Backings, Growth, Health, Options);
    }

    /// <inheritdoc cref="WritebackProgress.Blocks"/>
    public long BlocksWrittenBack => Progress.Blocks;

    /// <inheritdoc cref="Drains.IsDrained"/>
    public bool IsDrained => Drains.IsDrained;

    /// <inheritdoc cref="Drains.IsUnderWay"/>
    public bool IsDraining => Drains.IsUnderWay;

    /// <inheritdoc cref="Drains.IsDropping"/>
    public bool IsDropping => Drains.IsDropping;

    /// <inheritdoc cref="Drains.BlocksLeft"/>
    public long DrainBlocksLeft => Drains.BlocksLeft;

    /// <inheritdoc cref="DirtyData.Blocks"/>
    public long DirtyBlocks => DirtyData.Blocks;

    /// <inheritdoc cref="DirtyData.Ranges"/>
    public int DirtyRanges => DirtyData.Ranges;

    /// <inheritdoc cref="LostData.Count"/>
    public long LostBlockCount => Lost.Count;

    /// <summary>Names what is lost in a sentence, as far as a line goes; null when nothing is. Control path.</summary>
    public string? LostSentence => Lost.Sentence();

    /// <inheritdoc cref="LostRange.Advice"/>
    public const string LostAdvice = LostRange.Advice;

    /// <inheritdoc cref="GrowthOrders.IsUnderWay"/>
    public bool IsGrowing => Growth.IsUnderWay;

    /// <inheritdoc/>
    public string? Hang => Hangs.First;

    /// <summary>
    /// Begins to write everything back that has been acknowledged so far; what comes later may stay. Returns the
    /// position for <see cref="IsWrittenBack"/>. Drains that overlap become one. A volume that is not healthy makes no
    /// progress: look at <see cref="Health"/> too.
    /// </summary>
    public long Drain() => Drains.Begin();

    /// <inheritdoc cref="Drains.IsWrittenBack"/>
    public bool IsWrittenBack(long position) => Drains.IsWrittenBack(position);

    /// <inheritdoc cref="Drains.BeginDrop"/>
    /// <exception cref="UserErrorException">The volume is served read-only: nothing is written back.</exception>
    public long DropCaches()
    {
        Writebacks.CheckWritesBack();
        return Drains.BeginDrop();
    }

    /// <inheritdoc cref="WritebackOrders.Cancel"/>
    public void CancelDrain() => Writebacks.Cancel();

    /// <inheritdoc cref="GrowthOrders.Grow"/>
    public int Grow() => Growth.Grow();

    /// <inheritdoc cref="ResumeOrders.Resume"/>
    public void Resume() => Resumes.Resume();

    /// <inheritdoc cref="GiveUpOrders.GiveUp"/>
    public string GiveUp(string text, IOrderWaiter waiter) => GiveUps.GiveUp(text, waiter);

    /// <inheritdoc cref="WritebackOrders.BeginDrain"/>
    public Func<OrderProgress> BeginDrain() => Writebacks.BeginDrain();

    /// <inheritdoc cref="WritebackOrders.BeginCancel"/>
    public Func<OrderProgress> BeginCancelDrain() => Writebacks.BeginCancel();

    /// <inheritdoc cref="WritebackOrders.BeginDropCaches"/>
    public Func<OrderProgress> BeginDropCaches() => Writebacks.BeginDropCaches();

    /// <inheritdoc cref="FlushOrders.Begin"/>
    public Func<OrderProgress> BeginFlush() => Flushes.Begin();

    /// <inheritdoc cref="SuperblockOrders.Begin"/>
    public Func<OrderProgress> BeginCommit() => Commits.Begin();

    /// <inheritdoc cref="WritebackOrders.BeginGrow"/>
    public Func<OrderProgress> BeginGrow() => Writebacks.BeginGrow();

    /// <inheritdoc cref="ResumeOrders.Begin"/>
    public Func<OrderProgress> BeginResume() => Resumes.Begin();
}

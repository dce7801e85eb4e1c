using System.Collections.Generic;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.Io;
using Weir.Core.SsdCache.Commit;
using Weir.Core.SsdCache.Format;
using Weir.Core.SsdCache.Queue;
using Weir.Core.SsdCache.Recovery;
using Weir.Core.SsdCache.Sets;
using Weir.Core.SsdCache.Settings;
using Weir.Core.SsdCache.Writeback;
using Weir.Core.Volumes;

namespace Weir.Core.SsdCache.Volume;

/// <summary>
/// The engine <c>ssdcache</c>: a set-associative cache with sector bitmaps, rebuilt from seed 004. This class holds
/// what the queue threads share; their work is in <see cref="SsdCacheQueue"/>.
/// </summary>
internal sealed unsafe partial class SsdCacheVolume : IVolume, IVolumeExport
{
    private const int QueuesMax = BlockLocks.MaxQueues;

    // Of 4 KiB each: requests of other bytes meet there by chance alone.
    private const int LockCells = 16384;

    private readonly Device _cache;
    private readonly Device _backing;
    private readonly DirectoryMemory _memory;
    private readonly List<SsdCacheQueue> _queues = [];
    private readonly Lock _queuesLock = new();
    private int _wantedMode;

    private SsdCacheVolume(
        Device cache, Device backing, SsdSuperblock head, DirectoryMemory memory, SsdCacheOptions options)
    {
        (_cache, _backing, Head, _memory, Options) = (cache, backing, head, memory, options);
        Geometry = memory.Geometry;
        Table = memory.Table;
        Pages = new PageStates(Geometry.Pages);
        Admission = new Admission(Geometry.Slots);
        Health = new VolumeHealth(options.Log, options.Time);
        Devices = new DataDevices(cache, backing, Queues, Health);
        Mode = new ModeState(options.Mode);
        _wantedMode = (int)options.Mode;
        options.Changed = Queues.WakeAll;
        options.ChangeMode = SetMode;
        options.ApplyChoice = ApplyChoice;
        ApplyChoice();
    }

    /// <inheritdoc/>
    public string Engine => "ssdcache";

    /// <inheritdoc/>
    public string Name => Options.ExportName;

    /// <inheritdoc/>
    ushort IVolumeExport.Device => 0;

    /// <summary>One, which is the volume.</summary>
    public IReadOnlyList<IVolumeExport> Exports => [this];

    /// <inheritdoc/>
    public long SizeBytes => _backing.ClientBytes;

    /// <inheritdoc/>
    public bool ReadOnly => Options.ReadOnly;

    /// <inheritdoc/>
    public bool CanDiscard => !ReadOnly;

    /// <summary>Not known: a device without zeroing of its own is written with zeroes.</summary>
    public bool CanFastZero => false;

    /// <summary>Settings of this life.</summary>
    public SsdCacheOptions Options { get; }

    /// <inheritdoc cref="IDrainable.Health"/>
    public VolumeHealth Health { get; }

    /// <summary>What writes shall do: <see cref="SetMode"/> has asked for it.</summary>
    public CacheMode WantedMode => (CacheMode)Volatile.Read(ref _wantedMode);

    /// <inheritdoc/>
    public string? Hang => Silence.Of("cache device", _cache) ?? Silence.Of("backing device", _backing);

    internal SsdSuperblock Head { get; private set; }

    internal SsdGeometry Geometry { get; }

    internal SetTable Table { get; }

    internal PageStates Pages { get; }

    internal CommitTickets Tickets { get; } = new();

    internal DataDevices Devices { get; }

    internal ModeState Mode { get; }

    internal DrainState Drains { get; } = new();

    internal ActivityMark Activity { get; } = new();

    internal QueueSet Queues { get; } = new(QueuesMax);

    internal BlockLocks Locks { get; } = new(LockCells, blocksPerCell: 1);

    internal Admission Admission { get; }

    internal CounterTotals<QueueCounters> Counters { get; } = new(QueuesMax);

    internal CommitCounters Commits { get; } = new();

    internal WritebackCounters Writebacks { get; } = new();

    /// <summary>Nothing of an older mode is under way on any queue.</summary>
    internal bool HaveAllSeenMode
    {
        get
        {
            int version = Mode.Version;
            lock (_queuesLock)
            {
                foreach (SsdCacheQueue queue in _queues)
                    if (queue.SeenModeVersion < version) return false;
            }
            return true;
        }
    }

    /// <inheritdoc/>
    public IVolumeQueue OpenQueue(int index, IoContext io)
    {
        QueueParts parts = new()
        {
            Geometry = Geometry, Table = Table, Pages = Pages, Tickets = Tickets, Admission = Admission, Locks = Locks,
            Devices = Devices, Mode = Mode, Activity = Activity, Queues = Queues, Options = Options,
            Counters = Counters, Drains = Drains, Health = Health, Fallback = Fallback,
            OutlivesProcess = _memory.OutlivesProcess,
            Work = queues => new VolumeTasks(this, queues),
        };
        SsdCacheQueue queue = new(parts, index, io);
        lock (_queuesLock) _queues.Add(queue);
        return queue;
    }

    /// <summary>Changes the mode: status names the new one when all that it promises is true (B12).</summary>
    /// <exception cref="UserErrorException">The volume is served read-only.</exception>
    public void SetMode(CacheMode mode)
    {
        if (ReadOnly) throw new UserErrorException("the volume is served read-only: its mode stays");
        Volatile.Write(ref _wantedMode, (int)mode);
        Queues.WakeFirst();
    }

    /// <summary>Everything dirty goes home as fast as it can, until it is ended in <see cref="Drains"/>.</summary>
    public void BeginDrain()
    {
        Drains.Begin();
        Queues.WakeFirst();
    }

    /// <summary>Closes the devices too; nothing is under way.</summary>
    public void Dispose()
    {
        foreach (SsdCacheQueue queue in _queues) queue.Dispose();
        _fallback?.Dispose();
        DisposeStructures();
        _cache.Dispose();
        _backing.Dispose();
    }

    internal PageCommitter NewCommitter(DataQueues queues) => new(
        new CommitParts
        {
            Geometry = Geometry, CacheId = Head.CacheId, Epoch = Head.Epoch, Table = Table, Pages = Pages,
            Tickets = Tickets, Devices = Devices, Health = Health, Queues = Queues, Activity = Activity,
            Options = Options, Counters = Commits, TryAbandon = TryAbandon,
        },
        queues);

    internal Writeback.Writeback NewWriteback(DataQueues queues, Cleaning.CleaningGovernor governor) => new(
        new WritebackParts
        {
            Geometry = Geometry, Table = Table, Pages = Pages, Tickets = Tickets, Devices = Devices, Health = Health,
            Queues = Queues, Drains = Drains, Counters = Writebacks,
        },
        queues, governor);

    private void ApplyChoice() => (Table.Strategy, Admission.Rule) = (Options.Strategy, Options.Admit);

    private void DisposeStructures()
    {
        Admission.Dispose();
        Pages.Dispose();
        _memory.Dispose();
    }
}

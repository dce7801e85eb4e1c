using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.DmCache.Commit;
using Weir.Core.DmCache.Format;
using Weir.Core.DmCache.Places;
using Weir.Core.DmCache.Migration;
using Weir.Core.DmCache.Policies;
using Weir.Core.DmCache.Queue;
using Weir.Core.DmCache.Recovery;
using Weir.Core.DmCache.Settings;
using Weir.Core.Io;
using Weir.Core.Volumes;

namespace Weir.Core.DmCache.Volume;

/// <summary>
/// The engine <c>dmcache</c>: a block-mapped cache with policies, on the metadata of the kernel's dm-cache, rebuilt
/// from seed 002. This class holds what the queue threads share; their work is in <see cref="DmCacheQueue"/>.
/// </summary>
public sealed unsafe partial class DmCacheVolume : IVolume, IVolumeExport
{
    private const int QueuesMax = BlockLocks.MaxQueues;

    // Of 64 KiB each: writes that overlap are near each other.
    private const int OrderCells = 4096, OrderUnitsPerCell = 16;

    private readonly CacheDevices _devices;
    private readonly bool _isOnCache;
    private readonly ulong _cacheName;
    private readonly ulong _backingName;
    private readonly List<DmCacheQueue> _queues = [];
    private readonly Lock _queuesLock = new();
    private int _wantedMode;
    private long _clientBytes;
    private GrowOrder? _growth;

    private DmCacheVolume(CacheDevices devices, FoundCache found, DmCacheOptions options)
    {
        (_devices, _isOnCache, Options, Metadata) = (devices, found.IsOnCache, options, found.Metadata);
        _cacheName = NameHash.Of(devices.Cache.Identities[0]);
        _backingName = NameHash.Of(devices.Backing.Identities[0]);
        Health = new VolumeHealth(options.Log, options.Time);
        Map = new CacheMap(found.Geometry);
        Changes = new ChangeList(Map.Table.Groups);
        Devices = new DataDevices(devices.Cache, devices.Backing, Queues, Health);
        Discards = new DiscardMap(found.Geometry, devices.Backing.SizeBytes);
        Mode = new ModeState(options.Mode);
        _wantedMode = (int)options.Mode;
        _clientBytes = devices.Backing.ClientBytes;
        Policy = new PolicySlot(NewPolicy(options.Policy));
        Residency = new Residency(Map, Policy, Changes);
        Suspension = new Suspension(Queues.WakeFirst);
        MarkAhead = new MarkAhead(Map.Table, Changes);
        Lost = new LostBlocks(this);
        options.Changed = Queues.WakeAll;
        options.ChangeMode = SetMode;
        options.ChangePolicy = SetPolicy;
        options.ChangePolicySettings = ApplyPolicySettings;
    }

    /// <inheritdoc/>
    public string Engine => "dmcache";

    /// <inheritdoc/>
    public string Name => Options.ExportName;

    /// <inheritdoc/>
    ushort IVolumeExport.Device => 0;

    /// <summary>One, which is the volume.</summary>
    public IReadOnlyList<IVolumeExport> Exports => [this];

    /// <inheritdoc/>
    public long SizeBytes => Volatile.Read(ref _clientBytes);

    /// <inheritdoc/>
    public bool ReadOnly => Options.ReadOnly;

    /// <inheritdoc/>
    public bool CanDiscard => !ReadOnly;

    /// <summary>Not known: a device without zeroing of its own is written with zeroes.</summary>
    public bool CanFastZero => false;

    /// <summary>Settings of this life.</summary>
    public DmCacheOptions Options { get; }

    /// <inheritdoc cref="IDrainable.Health"/>
    public VolumeHealth Health { get; }

    /// <summary>What writes shall do: <see cref="SetMode"/> has asked for it.</summary>
    public CacheMode WantedMode => (CacheMode)Volatile.Read(ref _wantedMode);

    /// <inheritdoc/>
    public string? Hang => Silence.Of("cache device", _devices.Cache) ?? Silence.Of("backing device", _devices.Backing);

    internal CacheMetadata Metadata { get; }

    internal CacheMap Map { get; }

    internal ChangeList Changes { get; }

    internal DataDevices Devices { get; }

    internal DiscardMap Discards { get; }

    internal ModeState Mode { get; }

    internal PolicySlot Policy { get; }

    internal Residency Residency { get; }

    internal MarkAhead MarkAhead { get; }

    internal PromotionQueue Promotions { get; } = new();

    internal FailedHomes Failed { get; } = new();

    internal MoveCounters Moves { get; } = new();

    internal CommitCounters Commits { get; } = new();

    internal ConcurrentQueue<InvalidateOrder> Invalidations { get; } = new();

    internal DrainState Drains { get; } = new();

    internal LostBlocks Lost { get; }

    internal UnmarkOrders Unmarks { get; } = new();

    internal Suspension Suspension { get; }

    /// <summary>Devices have more room, which is to be taken; null: nobody has asked.</summary>
    internal GrowOrder? Growth => Volatile.Read(ref _growth);

    internal ActivityMark Activity { get; } = new();

    internal QueueSet Queues { get; } = new(QueuesMax);

    internal BlockLocks Order { get; } = new(OrderCells, OrderUnitsPerCell);

    internal CounterTotals<QueueCounters> Counters { get; } = new(QueuesMax);

    internal MigrationParts Migrations => new()
    {
        Residency = Residency, Devices = Devices, Promotions = Promotions, Failed = Failed, Moves = Moves,
        Discards = Discards, Options = Options, Mode = Mode, Activity = Activity, Health = Health, Queues = Queues,
    };

    /// <summary>Nothing of an older mode is under way on any queue.</summary>
    internal bool HaveAllSeenMode
    {
        get
        {
            int version = Mode.Version;
            lock (_queuesLock)
            {
                foreach (DmCacheQueue queue in _queues)
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
            Shared = Migrations, Order = Order, Counters = Counters, MarkAhead = MarkAhead, Suspension = Suspension,
            Work = (queues, grants) => new VolumeTasks(this, queues, grants),
        };
        DmCacheQueue queue = new(parts, index, io);
        lock (_queuesLock) _queues.Add(queue);
        return queue;
    }

    /// <summary>Changes the mode: status names the new one when all that it promises is true.</summary>
    /// <exception cref="UserErrorException">The volume is served read-only.</exception>
    public void SetMode(CacheMode mode)
    {
        Invariant.Check(mode <= CacheMode.Passthrough);
        if (ReadOnly) throw new UserErrorException("the volume is served read-only: its mode stays");
        Volatile.Write(ref _wantedMode, (int)mode);
        Queues.WakeFirst();
    }

    /// <summary>
    /// Another policy decides from now on. It begins with the blocks that are there, and knows nothing more of them.
    /// Any thread but a queue's.
    /// </summary>
    /// <exception cref="UserErrorException">There is none of that name.</exception>
    public void SetPolicy(string name)
    {
        CheckPolicy(name);
        Policy.Enter();
        // Of the size that the cache has while the latch is held.
        PolicyHost next = NewPolicy(name);
        for (uint place = 0; place < Map.Table.Places; place++) LoadInto(next, place, PolicyInfo.NoHint);
        PolicyHost old = Policy.Replace(next);
        Policy.Exit();
        old.Dispose();
        Options.Policy = name;
        Drains.ForPolicy = next.Info.IsCleaner;
        Queues.WakeFirst();
    }

    /// <summary>Cache blocks that there are.</summary>
    public long CacheBlocks => Map.Geometry.Places;

    /// <summary>Everything dirty goes home as fast as it can, until <see cref="EndDrain"/>.</summary>
    public void BeginDrain()
    {
        Drains.Begin();
        Queues.WakeFirst();
    }

    /// <summary>
    /// What is clean now shall be clean for whoever opens the cache after a crash, too. Returns a number for
    /// <see cref="IsUnmarked"/>.
    /// </summary>
    public long BeginUnmark()
    {
        long order = Unmarks.Ask();
        Queues.WakeFirst();
        return order;
    }

    /// <summary>It is, or there is nothing to wait for: no commit comes any more.</summary>
    public bool IsUnmarked(long order) => ReadOnly || Unmarks.Done >= order || CommitsAreOver;

    /// <summary>A commit or a flush has failed: the metadata stay as they are until the next start.</summary>
    public bool CommitsAreOver => Changes.Failure != null || Devices.FlushError < 0;

    /// <summary>Write-back goes its own pace again.</summary>
    public void EndDrain() => Drains.End();

    /// <summary>Closes the devices too; nothing is under way.</summary>
    public void Dispose()
    {
        foreach (DmCacheQueue queue in _queues) queue.Dispose();
        DisposeStructures();
        _devices.Cache.Dispose();
        _devices.Metadata?.Dispose();
        _devices.Backing.Dispose();
    }

    internal Committer NewCommitter(DataQueues queues)
    {
        DeviceQueue metadata = _isOnCache ? queues.Cache : _devices.Metadata!.OpenQueue(queues.Io);
        CommitParts parts = new()
        {
            Metadata = Metadata, Device = _devices.Home, IsOnCache = _isOnCache, Map = Map, Changes = Changes,
            Devices = Devices, Health = Health, Queues = Queues, FillHead = FillHead,
            Counters = Commits,
        };
        return new Committer(parts, metadata, queues.Cache, queues.Backing, queues.Io);
    }

    private PolicyHost NewPolicy(string name)
    {
        PolicyMaker maker = new(new PolicyShape(
            Map.Geometry.Places, Map.Geometry.Homes, Map.Geometry.BlockSectors, Options.Seed));
        PolicyHost host = PolicyTable.Visit<PolicyHost, PolicyMaker>(name, ref maker);
        Apply(host);
        return host;
    }

    private void ApplyPolicySettings()
    {
        Policy.Enter();
        Apply(Policy.Host);
        Policy.Exit();
    }

    private void Apply(PolicyHost host)
    {
        PolicySetting[] settings = host.Info.Settings;
        for (int i = 0; i < settings.Length; i++)
            if (Options.PolicySettings.TryGetValue(settings[i].Name, out long value)) host.Set(i, value);
    }

    private void FillHead(Superblock head)
    {
        head.IsClean = true;
        head.NeedsCheck = false;
        head.Mark = new WriterMark(_identity, Map.Table.DoubtfulCount > 0, _cacheName, _backingName);
        head.ReadHits = (uint)(_before.ReadHits + Counters[QueueCounters.ReadHits]);
        head.ReadMisses = (uint)(_before.ReadMisses + Counters[QueueCounters.ReadMisses]);
        head.WriteHits = (uint)(_before.WriteHits + Counters[QueueCounters.WriteHits]);
        head.WriteMisses = (uint)(_before.WriteMisses + Counters[QueueCounters.WriteMisses]);
    }

    private void DisposeStructures()
    {
        Map.Dispose();
        Changes.Dispose();
        Discards.Dispose();
        Policy.Dispose();
        Metadata.Dispose();
    }

    private readonly struct PolicyMaker(PolicyShape shape) : IPolicyVisitor<PolicyHost>
    {
        public PolicyHost Visit<TPolicy>()
            where TPolicy : struct, IPolicy<TPolicy> => new PolicyHost<TPolicy>(shape);
    }
}

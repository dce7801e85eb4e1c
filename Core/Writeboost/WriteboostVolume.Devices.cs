using System;
using System.Collections.Generic;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Errors;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Recovery;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost;

/// <content>The backing devices: what is done for each at the start, and the table that keeps them.</content>
public sealed unsafe partial class WriteboostVolume
{
    /// <summary>How often whoever waits for an order asks whether it is still wanted, in milliseconds.</summary>
    private const int OrderTurnMs = 50;

    private readonly Lock _ordering = new();
    private DeviceOrder? _deviceOrder;
    private bool _deviceOrdersEnded;
    private int _changingId;
    private bool _isWritingBack;
    private readonly DeviceTable? _deviceTable;
    private bool _tableIsDue;
    private bool _isTooLargeSaid;

    internal DeviceTable? DeviceTable => _deviceTable;

    internal BackingTable Backings { get; } = new();

    // The first that is there: what the volume's size and name mean where only one is meant.
    private BackingDevice First { get; }

    /// <summary>The part that serves the device called <paramref name="name"/>, which is attached.</summary>
    public IVolumeExport ExportOf(string name)
    {
        BackingDevice? device = Backings.Find(name);
        Invariant.Check(device is { IsAbsent: false });
        return new CachedExport(this, device);
    }

    /// <inheritdoc/>
    public IReadOnlyList<IVolumeExport> Exports
    {
        get
        {
            List<IVolumeExport> exports = [];
            foreach (BackingDevice device in Backings.ToList())
                if (!device.IsAbsent) exports.Add(new CachedExport(this, device));
            return exports;
        }
    }

    /// <summary>
    /// Serves one more device, or one that was absent. Waits; not on a queue's thread. The device stays the caller's
    /// to dispose when this fails. What it holds is looked at with <paramref name="io"/>, the caller's own.
    /// </summary>
    /// <exception cref="UserErrorException">It is not the one it was, or its name or number is taken, or the volume is
    /// not healthy.</exception>
    public IVolumeExport Attach(BackingSpec spec, IoContext? io = null)
    {
        StaleMarker.Check(spec.Device);
        lock (_ordering)
        {
            BackingSpec looked = io == null ? spec : LookAt(spec, io);
            DeviceOrder order = new() { Name = spec.Name, Spec = looked };
            return new CachedExport(this, Carry(order, static () => false));
        }
    }

    // Samples of absent devices change with orders only: this is read beside the first queue's thread.
    private BackingSpec LookAt(BackingSpec spec, IoContext io)
    {
        BlockingIo blocking = new(io);
        LookByLog(spec.Device, blocking);
        ContentEvidence evidence = new(blocking, _deviceTable, Fingerprints.Table);
        foreach (BackingDevice absent in Backings.Absent) evidence.Compare(spec.Device, absent.Id);
        List<BlockSample> samples = evidence.Sample(spec.Device, SamplesBlank);
        evidence.Seal();
        return spec with { Evidence = evidence, Samples = samples };
    }

    /// <summary>
    /// Writes everything back that the log has of a device, then lets it go. Waits; not on a queue's thread. Until
    /// shortly before the end it can be called off: then the device stays, and clients go on.
    /// </summary>
    /// <exception cref="UserErrorException">It was called off, or there is no such device, or it is the only one, or
    /// the volume is not healthy.</exception>
    public void Detach(string name, Func<bool> isCancelled)
    {
        BackingDevice device = Carry(new DeviceOrder { Name = name }, isCancelled);
        if (!device.IsAbsent) device.Device.Dispose();
    }

    private void SetThreshold(string name, int percent)
    {
        BackingDevice device = Backings.Find(name)
            ?? throw new UserErrorException($"no device is called '{name}'", 2);
        device.WritebackThreshold = percent;
        Queues.WakeFirst();
    }

    // One at a time.
    private BackingDevice Carry(DeviceOrder order, Func<bool> isCancelled)
    {
        if (ReadOnly) throw new UserErrorException("the volume is served read-only: its devices stay as they are");
        lock (_ordering)
        {
            using (order)
            {
                Post(order);
                string? hang = null;
                HangWatch watch = new(Hangs, Backings, Progress, Drains, Log);
                try
                {
                    order.Wait(isCancelled, () => (hang = watch.Look(Concerns)) != null, Withdraw, OrderTurnMs);
                }
                catch (UserErrorException error) when (hang != null)
                {
                    throw new UserErrorException($"{error.Message}: {hang}");
                }
                catch (UserErrorException error) when (LostOf(order) is { } lost)
                {
                    string why = order.LeavesLost ? $"'{order.Name}': stays attached" : error.Message;
                    throw new UserErrorException($"{why}: {lost}; {LostData.Advice}");
                }
                return order.Device!;
                bool Concerns(BackingDevice hung) => IsAwaited(hung, order);
                bool Withdraw() => Interlocked.CompareExchange(ref _deviceOrder, null, order) == order;
            }
        }
    }

    // The device itself; the one that an earlier order is still about; what write-back has to do before.
    private bool IsAwaited(BackingDevice hung, DeviceOrder order) => hung.Name == order.Name
        || hung.Id == Volatile.Read(ref _changingId)
        || (DirtyData.IsAnyOf(hung) && (order.Spec == null || Volatile.Read(ref _isWritingBack)));

    // What a detach that was refused has to say, whatever it was refused for.
    private string? LostOf(DeviceOrder order) =>
        order.Spec == null && Backings.Find(order.Name) is { } device ? Lost.Sentence(device.Id) : null;

    // Whoever posts it waits for its end before he posts another. Each side writes its word, then reads the other's: an
    // order that comes when nobody takes any more is refused by one of them.
    internal void Post(DeviceOrder order)
    {
        Interlocked.Exchange(ref _deviceOrder, order);
        if (Volatile.Read(ref _deviceOrdersEnded)) RefuseDeviceOrder();
        else Queues.WakeFirst();
    }

    internal void EndDeviceOrders()
    {
        Volatile.Write(ref _deviceOrdersEnded, true);
        Interlocked.MemoryBarrier();
        RefuseDeviceOrder();
        GiveUps.EndAll();
    }

    internal void RefuseDeviceOrder() =>
        TakeDeviceOrder()?.Finish(new UserErrorException("the volume stops, or its cache has failed"));

    // The device that an order is about, 0: none, and whether a batch is under way; by the first queue's thread.
    internal void NoteDeviceWork(int changing, bool isWritingBack)
    {
        Volatile.Write(ref _changingId, changing);
        Volatile.Write(ref _isWritingBack, isWritingBack);
    }

    internal bool HasDeviceOrder => Volatile.Read(ref _deviceOrder) != null;

    internal DeviceOrder? TakeDeviceOrder() =>
        Volatile.Read(ref _deviceOrder) == null ? null : Interlocked.Exchange(ref _deviceOrder, null);

    // Every queue has looked at the devices since; one that has ended looks at nothing any more.
    internal bool AllQueuesHaveSeen(int generation)
    {
        for (int i = 0; i < Queues.Count; i++)
            if (Volatile.Read(ref _queues[i]) is { } queue && queue.SeenGeneration < generation) return false;
        return true;
    }

    internal long RequestsOf(int id)
    {
        long sum = 0;
        for (int i = 0; i < Queues.Count; i++)
            sum += Volatile.Read(ref _queues[i])?.RequestsOf(id) ?? 0;
        return sum;
    }

    // R12: what the scan believed must be durable before anybody is told.
    private void FlushDevices(BlockingIo io, DeviceQueue queue)
    {
        if (Mutant.Is(WriteboostMutant.R12NoFlush)) return;
        io.StartFlush(queue);
        io.WaitOrFail("flush", Cache);
        foreach (BackingDevice backing in Backings.ToList())
        {
            if (backing.IsAbsent || !backing.Device.CanFlush) continue;
            io.StartFlush(io.QueueOf(backing.Device));
            io.WaitOrFail("flush", backing.Device);
        }
    }

    // A layout that does not say which backing devices it belongs to can be given one that is too small, or too few.
    private void CheckBlocks(Replay replay)
    {
        for (int id = BackingTable.MinId; id <= BackingTable.MaxId; id++)
        {
            long needed = replay.EndBlockOf(id) << Geometry.BlockShift;
            BackingDevice? backing = Backings.Find(id);
            if (_deviceTable == null && backing is { IsTooLarge: true })
                CheckTooLarge(backing, isKnown: needed > 0 || _notes?.Knows(id) == true);
            if (needed == 0) continue;
            if (backing == null)
                Backings.Set(new BackingDevice(id, $"device{id}", null) { LastSizeBytes = needed });
            else if (!Layout.HasEpochs && !backing.IsAbsent && needed >= backing.SizeBytes + Geometry.BlockBytes)
                throw new UserErrorException($"{Cache.Name}: holds data for {needed} bytes of a backing device, but "
                    + $"{backing.Device.Name} has {backing.SizeBytes}: another device, or the cache is damaged");
        }
    }

    private void CheckTooLarge(BackingDevice backing, bool isKnown)
    {
        string what = Binding.TooLarge(backing.Device.Name, backing.Device.SizeBytes);
        if (!isKnown) throw new UserErrorException(what);
        if (!_isTooLargeSaid) Options.Log($"{what}: goes on with that");
        _isTooLargeSaid = true;
    }

    // A device that is new begins where the log ends. So does one whose beginning was given up with the log's end, by
    // repair: what is written from now on must not lie below it.
    private void SettleFirstPositions(long end)
    {
        foreach (BackingDevice backing in Backings.ToList())
            backing.FirstPosition = Math.Min(backing.FirstPosition, end);
    }

    // Before the epoch: a cache that has been served has a table.
    private void WriteDeviceTable(BlockingIo io, DeviceQueue queue, bool copyBFirst)
    {
        foreach (BackingDevice backing in Backings.ToList()) Describe(backing);
        if (!_tableIsDue) return;
        using TableWriter writer = new(queue, io.Context);
        writer.Begin(_deviceTable!, copyBFirst);
        while (writer.IsBusy) io.Turn();
        if (writer.Result < 0)
            throw new UserErrorException($"{Cache.Name}: writing the device table failed: {Errno.Text(writer.Result)}");
    }

    internal void Describe(BackingDevice backing)
    {
        ref DeviceRecord record = ref _deviceTable![backing.Id];
        DeviceRecord before = record;
        record.Id = (byte)backing.Id;
        // A drain serves no export: it renames none.
        if (Options.AddsDevices || before.Id == 0) record.Name = backing.Name;
        record.SizeBytes = backing.SizeBytes;
        record.FirstPosition = backing.FirstPosition;
        if (!backing.IsAbsent) record.Identity = backing.Device.Identities[0];
        _tableIsDue |= !record.IsSame(before);
    }

    // What is left with the backing devices when they go on without this cache.
    internal StaleCacheMarker StaleMarker => new(Cache.Name, Memory.Name);

    // Refuses a cache that one of its backing devices was written without.
    private void CheckNotStale()
    {
        foreach (BackingDevice backing in Backings.ToList())
            if (!backing.IsAbsent) StaleMarker.Check(backing.Device);
    }

    private void WarnOfAbsent()
    {
        foreach (BackingDevice backing in Backings.ToList())
        {
            if (!backing.IsAbsent) continue;
            Options.Log($"{Cache.Name}: device {backing.Id}, '{backing.Name}', is not given: its "
                + $"{Index.DirtyOf(backing.Id)} dirty blocks stay in the cache");
        }
    }
}

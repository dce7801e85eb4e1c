using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Orders;
using Weir.Core.Writeboost.Recovery;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Volume;

/// <content>The backing devices: what is done for each at the start, and the table that keeps them.</content>
public sealed unsafe partial class WriteboostVolume
{
    private bool _isTooLargeSaid;

    /// <summary>The table that the cache keeps of its devices; null in layouts that have none.</summary>
    internal DeviceTable? DeviceTable => Devices.Table;

    internal DeviceRecords Devices { get; }

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

    internal DeviceOrders DeviceOrders { get; private set; } = null!;

    /// <inheritdoc cref="DeviceOrders.Attach"/>
    public IVolumeExport Attach(BackingSpec spec, IoContext? io = null) =>
        new CachedExport(this, DeviceOrders.Attach(spec, io));

    /// <inheritdoc cref="DeviceOrders.Detach"/>
    public void Detach(string name, Func<bool> isCancelled) => DeviceOrders.Detach(name, isCancelled);

    private void SetThreshold(string name, int percent)
    {
        BackingDevice device = Backings.Find(name)
            ?? throw new UserErrorException($"no device is called '{name}'", 2);
        device.WritebackThreshold = percent;
        Queues.WakeFirst();
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
            if (DeviceTable == null && backing is { IsTooLarge: true })
                CheckTooLarge(backing, isKnown: needed > 0 || Evidence.Notes?.Knows(id) == true);
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
        foreach (BackingDevice backing in Backings.ToList()) Devices.Describe(backing);
        if (!Devices.IsDue) return;
        using TableWriter writer = new(queue, io.Context);
        writer.Begin(DeviceTable!, copyBFirst);
        while (writer.IsBusy) io.Turn();
        if (writer.Result < 0)
            throw new UserErrorException($"{Cache.Name}: writing the device table failed: {Errno.Text(writer.Result)}");
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

using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Recovery;

namespace Weir.Core.Writeboost;

/// <content>The backing devices: what is done for each at the start, and the table that keeps them.</content>
public sealed unsafe partial class WriteboostVolume
{
    private readonly DeviceTable? _deviceTable;
    private bool _tableIsDue;
    private IVolume?[]? _fallback;

    internal BackingTable Backings { get; } = new();

    // The first that is there: what the volume's size and name mean where only one is meant.
    private BackingDevice First { get; }

    /// <summary>The part that serves the device called <paramref name="name"/>, which is attached.</summary>
    public IVolumeExport ExportOf(string name)
    {
        BackingDevice? device = Backings.Find(name);
        Invariant.Check(device is { IsAbsent: false });
        return device;
    }

    /// <summary>Dirty blocks of devices that are not given.</summary>
    internal long AbsentDirtyBlocks
    {
        get
        {
            long sum = 0;
            foreach (BackingDevice backing in Backings.Absent) sum += Index.DirtyOf(backing.Id);
            return sum;
        }
    }

    // Ranges are not counted by device: any may be theirs.
    internal bool HasAbsentData => Backings.Absent.Length > 0 && (Ranges.Entries > 0 || AbsentDirtyBlocks > 0);

    internal long PresentDirtyBlocks => Index.DirtyCount - AbsentDirtyBlocks;

    // R12: what the scan believed must be durable before anybody is told.
    private void FlushDevices(BlockingIo io, DeviceQueue queue, IoContext context)
    {
        if (Mutant.Is(MutantId.R12NoFlush)) return;
        io.StartFlush(queue);
        io.WaitOrFail("flush", Cache);
        foreach (BackingDevice backing in Backings.ToList())
        {
            if (backing.IsAbsent || !backing.Device.CanFlush) continue;
            io.StartFlush(backing.Device.OpenQueue(context));
            io.WaitOrFail("flush", backing.Device);
        }
    }

    // A layout that does not say which backing devices it belongs to can be given one that is too small, or too few.
    private void CheckBlocks(Replay replay)
    {
        if (Layout.HasEpochs) return;
        for (int id = BackingTable.MinId; id <= BackingTable.MaxId; id++)
        {
            long needed = replay.EndBlockOf(id) << Geometry.BlockShift;
            if (needed == 0) continue;
            BackingDevice? backing = Backings.Find(id);
            if (backing == null) Backings.Set(new BackingDevice(id, $"device{id}", null));
            else if (needed >= backing.SizeBytes + Geometry.BlockBytes)
                throw new UserErrorException($"{Cache.Name}: holds data for {needed} bytes of a backing device, but "
                    + $"{backing.Device.Name} has {backing.SizeBytes}: another device, or the cache is damaged");
        }
    }

    // Before the epoch: a cache that has been served has a table.
    private void WriteDeviceTable(BlockingIo io, DeviceQueue queue, IoContext context, bool copyBFirst)
    {
        foreach (BackingDevice backing in Backings.ToList()) Describe(backing);
        if (!_tableIsDue) return;
        using DeviceTableWriter writer = new(queue, context);
        writer.Begin(_deviceTable!, copyBFirst);
        while (writer.IsBusy) io.Turn();
        if (writer.Result < 0)
            throw new UserErrorException($"{Cache.Name}: writing the device table failed with errno {-writer.Result}");
    }

    private void Describe(BackingDevice backing)
    {
        ref DeviceRecord record = ref _deviceTable![backing.Id];
        DeviceRecord before = record;
        record.Id = (byte)backing.Id;
        record.Name = backing.Name;
        record.SizeBytes = backing.SizeBytes;
        record.FirstPosition = backing.FirstPosition;
        if (!backing.IsAbsent) record.Identity = backing.Device.Identity;
        _tableIsDue |= !record.IsSame(before);
    }

    // What serves each backing device alone once the cache device has failed, by Request.Device; made by the first
    // queue that comes.
    internal IVolume?[] Fallback()
    {
        lock (Backings)
        {
            if (_fallback != null) return _fallback;
            IVolume?[] volumes = new IVolume?[BackingTable.MaxId];
            foreach (BackingDevice backing in Backings.ToList())
                if (!backing.IsAbsent) volumes[backing.Id - BackingTable.MinId] = Options.Fallback!(backing.Device);
            return _fallback = volumes;
        }
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

using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Recovery;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Volume;

/// <content>Whether the backing devices are those that the log is about (R13).</content>
public sealed unsafe partial class WriteboostVolume
{
    /// <summary>What keeps samples of the devices.</summary>
    internal Fingerprints Fingerprints { get; }

    internal LogEvidence Evidence { get; }

    internal IdentityCheck Identity { get; }

    // When the log has been read: what holds nothing of a device cannot harm it.
    private void CheckDevices(Replay replay, BlockingIo io, ContentEvidence evidence)
    {
        CheckBlocks(replay);
        CheckShrunk();
        foreach (BackingDevice backing in Backings.ToList())
        {
            Identity.Check(backing);
            Evidence.Check(backing, io);
        }
        foreach ((IVolume alone, Device device) in Options.Uncached)
            Identity.CheckServedAlone(alone.Exports[0], device, io, evidence);
    }

    private void WriteSamples(BlockingIo io, DeviceQueue queue, long epoch, bool copyBFirst)
    {
        DescribeLife(Fingerprints.Table, epoch);
        using TableWriter writer = new(queue, io.Context);
        writer.Begin(Fingerprints.Table, copyBFirst);
        while (writer.IsBusy) io.Turn();
        if (writer.Result < 0)
            throw new UserErrorException(
                $"{Cache.Name}: writing the samples of devices failed: {Errno.Text(writer.Result)}");
        Fingerprints.NoteDurable();
    }

    // Both devices have been flushed: the log as it was found is durable.
    private void DescribeLife(SampleTable table, long epoch)
    {
        if (Layout.HasEpochs) table.Epoch = epoch;
        else table.DescribeLog(Superblock, Geometry, Superblock.SettledPosition);
    }

    private bool AnyHasShrunk => Backings.ToList().Exists(static backing => backing.HasShrunk);

    // What the log alone holds must have its place. Clean blocks need not be looked at: none counts (R10).
    private void CheckShrunk()
    {
        foreach (BackingDevice backing in Backings.ToList())
        {
            if (!backing.HasShrunk) continue;
            long blocks = DirtyBeyond(backing.Id, backing.SizeBytes);
            long end = backing.SizeBytes + Geometry.BlockBytes - 1;
            int ranges = Ranges.CountBetween(
                BackingTable.KeyOf(backing.Id, end), BackingTable.KeyOf(backing.Id + 1, 0));
            if (blocks == 0 && ranges == 0) continue;
            throw new UserErrorException($"{backing.Device.Name}: {backing.SizeBytes} bytes, but the cache holds "
                + $"{blocks} dirty blocks and {ranges} discarded or zeroed ranges beyond: truncated?");
        }
    }

    private long DirtyBeyond(int id, long sizeBytes)
    {
        long count = 0, slot = 0;
        while (Index.TryNextDirty(ref slot, out ulong key, out byte sectors))
        {
            if (BackingTable.IdOf(key) != id) continue;
            int last = System.Numerics.BitOperations.Log2(sectors);
            if (BackingTable.OffsetOf(key) + ((last + 1L) * Geometry.SectorBytes) > sizeBytes) count++;
        }
        return count;
    }
}

using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Recovery;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost;

/// <content>Whether the backing devices are those that the log is about (R13).</content>
public sealed unsafe partial class WriteboostVolume
{
    /// <summary>What keeps samples of the devices.</summary>
    internal Fingerprints Fingerprints { get; }

    private bool AnyDiffers => Backings.ToList().Exists(static backing => backing.HoldsSomethingElse);

    // Whoever has it back reads it, and nothing that the cache had of it before (R10).
    private bool AnyWasWritten => !Mutant.Is(WriteboostMutant.R10ChangeUnnoticed)
        && Backings.ToList().Exists(static backing => backing.WasWrittenMeanwhile);

    // When the log has been read: what holds nothing of a device cannot harm it.
    private void CheckDevices(Replay replay, BlockingIo io, ContentEvidence evidence)
    {
        CheckBlocks(replay);
        CheckShrunk();
        foreach (BackingDevice backing in Backings.ToList())
        {
            CheckIdentity(backing);
            CheckByLog(backing, io);
        }
        foreach ((IVolume alone, Device device) in Options.Uncached)
            CheckServedAlone(alone.Exports[0], device, io, evidence);
    }

    // One that is missed must not be served beside its cache: it would show old data, and what is written to it would
    // be written over.
    private void CheckServedAlone(IVolumeExport export, Device device, BlockingIo io, ContentEvidence evidence)
    {
        foreach (BackingDevice absent in Backings.Absent)
        {
            // Where nothing says how large it was, it reaches to its last block at least.
            long beyond = export.SizeBytes - absent.SizeBytes;
            bool canBe = beyond > -Geometry.BlockBytes && (!Layout.HasDeviceTable || beyond < Geometry.BlockBytes);
            if (!canBe || Options.Rebind || HoldsOf(absent) is not { } held) continue;
            ContentVerdict verdict = Layout.HasDeviceTable
                ? evidence.Compare(device, absent.Id) : _known!.Judge(io, device, absent.Id).Verdict;
            if (verdict == ContentVerdict.Other) continue;
            throw new UserErrorException($"'{export.Name}' is to be served without the cache, which holds {held} of "
                + $"{NameOfMissed(absent)}, a device that is not given and may be this one: give it "
                + "under its name and number if it is; --option rebind=1 if it is another one");
        }
    }

    private string NameOfMissed(BackingDevice absent) =>
        Layout.HasDeviceTable ? $"'{absent.Name}'" : $"device {absent.Id}";

    /// <summary>
    /// Refuses a device that does not hold what it held while the log has dirty data of it, and a new one that may be
    /// one which is missed.
    /// </summary>
    internal void CheckIdentity(BackingDevice backing)
    {
        if (backing.IsAbsent) return;
        if (backing.IsNew) CheckUnknown(backing);
        if (backing.HasLostSamples) CheckWithoutSamples(backing);
        if (!backing.HoldsSomethingElse || Options.Rebind) return;
        bool isSureToBeIt = backing.Content == ContentVerdict.Changed && !backing.IsKnownByPlace;
        if (isSureToBeIt || HoldsOf(backing) is not { } held) return;
        throw new UserErrorException($"{Difference(backing)}; the cache holds {held} of it; --option rebind=1 if it is "
            + "the right one all the same");
    }

    private void CheckWithoutSamples(BackingDevice backing)
    {
        if (Options.Rebind || !backing.IsKnownByPlace || HoldsOf(backing) is not { } held) return;
        throw new UserErrorException($"{backing.Device.Name}: whether this is '{backing.Name}' cannot be known: both "
            + $"copies of what {Cache.Name} knew of its content are damaged; it holds {held} of it; --option rebind=1 "
            + "if it is the right one");
    }

    internal void WarnOfDifference(BackingDevice backing)
    {
        if (backing.IsAbsent) return;
        if (backing.HasLostSamples)
            Options.Log($"{Cache.Name}: both copies of what it knew of the content of '{backing.Name}' are damaged");
        if (backing.HoldsSomethingElse) Options.Log(Difference(backing));
        else if (backing.WasWrittenMeanwhile)
            Options.Log($"{backing.Device.Name}: nothing shows that '{backing.Name}' is as its cache left it: of what "
                + "was cached only what is dirty still counts");
    }

    private static string Difference(BackingDevice backing) =>
        $"{backing.Device.Name}: does not hold what '{backing.Name}' held: "
        + (backing.Content == ContentVerdict.Other ? "it is another device, or was " : "it was ")
        + "written without its cache";

    private void CheckUnknown(BackingDevice backing)
    {
        foreach (BackingDevice absent in Backings.Absent)
        {
            if (absent.SizeBytes != backing.SizeBytes || HoldsOf(absent) is not { } held) continue;
            throw new UserErrorException($"{backing.Device.Name}: '{backing.Name}' is new to this cache, which holds "
                + $"{held} of '{absent.Name}', a device of the same size that is not given: give "
                + $"{absent.Name}={backing.Device.Name} if it is that one (with --option rebind=1 if that is refused), "
                + $"else '{absent.Name}' first");
        }
    }

    private string? HoldsOf(BackingDevice backing) => Holdings.Describe(backing);

    // What the devices hold now, before anybody writes to them.
    private void TakeSamples(ContentEvidence evidence)
    {
        foreach (BackingDevice backing in Backings.ToList())
        {
            if (backing.IsAbsent) continue;
            if (NeedsSamples(backing, out _)) TakeSamples(backing, evidence.Sample(backing.Device, SamplesBlank));
            Fingerprints.Table[backing.Id].FirstPosition = backing.FirstPosition;
        }
    }

    /// <summary>Of a device that was met, or that has few left; the others are kept.</summary>
    internal void TakeSamples(BackingDevice backing, IReadOnlyList<BlockSample> samples)
    {
        if (NeedsSamples(backing, out bool isKnown))
            Fingerprints.Take(backing.Id, backing.FirstPosition, samples, keepsWritten: isKnown);
    }

    // Of writes that go round the log none shall be logged because a blank block is a sample.
    private bool SamplesBlank => !Options.WriteAround && Options.BypassSequentialWrites == 0;

    private bool NeedsSamples(BackingDevice backing, out bool isKnown)
    {
        ContentVerdict content = Layout.HasDeviceTable ? backing.Content : backing.ContentByLog;
        isKnown = !backing.IsNew && !Options.Rebind && content is ContentVerdict.Same or ContentVerdict.Blank;
        int found = 0;
        for (int i = 0; i < DeviceSamples.FoundCount; i++)
            if (Fingerprints.Table[backing.Id][i].Kind == SampleKind.Content) found++;
        return !isKnown || found < DeviceSamples.FoundCount / 2;
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
        long count = 0;
        for (uint slot = 0; slot < Geometry.SlotCount; slot++)
        {
            if (!Index.TryGetDirty(slot, out ulong key, out byte sectors) || BackingTable.IdOf(key) != id) continue;
            int last = System.Numerics.BitOperations.Log2(sectors);
            if (BackingTable.OffsetOf(key) + ((last + 1L) * Geometry.SectorBytes) > sizeBytes) count++;
        }
        return count;
    }
}

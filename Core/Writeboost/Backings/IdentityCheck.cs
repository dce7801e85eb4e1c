using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;

namespace Weir.Core.Writeboost.Backings;

/// <summary>Whether the backing devices are those that the log is about (R13), by what they hold.</summary>
internal sealed class IdentityCheck(
    Device cache, BackingTable backings, LogHoldings holdings, Fingerprints fingerprints, LogEvidence log,
    WriteboostOptions options)
{
    /// <summary>A device holds something else than it held.</summary>
    public bool AnyDiffers => backings.ToList().Exists(static backing => backing.HoldsSomethingElse);

    /// <summary>A device may have been written without the cache: whoever has it back reads it, and nothing that the
    /// cache had of it before (R10).</summary>
    public bool AnyWasWritten => !Mutant.Is(WriteboostMutant.R10ChangeUnnoticed)
        && backings.ToList().Exists(static backing => backing.WasWrittenMeanwhile);

    /// <summary>
    /// One that is missed must not be served beside its cache: it would show old data, and what is written to it would
    /// be written over.
    /// </summary>
    public void CheckServedAlone(IVolumeExport export, Device device, BlockingIo io, ContentEvidence evidence)
    {
        foreach (BackingDevice absent in backings.Absent)
        {
            // Where nothing says how large it was, it reaches to its last block at least.
            long beyond = export.SizeBytes - absent.SizeBytes;
            bool canBe = beyond > -Geometry.BlockBytes
                && (!options.Layout.HasDeviceTable || beyond < Geometry.BlockBytes);
            if (!canBe || options.Rebind || holdings.Describe(absent) is not { } held) continue;
            ContentVerdict verdict = options.Layout.HasDeviceTable
                ? evidence.Compare(device, absent.Id) : log.Judge(io, device, absent.Id);
            if (verdict == ContentVerdict.Other) continue;
            throw new UserErrorException($"'{export.Name}' is to be served without the cache, which holds {held} of "
                + $"{NameOfMissed(absent)}, a device that is not given and may be this one: give it "
                + "under its name and number if it is; --option rebind=1 if it is another one");
        }
    }

    private string NameOfMissed(BackingDevice absent) =>
        options.Layout.HasDeviceTable ? $"'{absent.Name}'" : $"device {absent.Id}";

    /// <summary>
    /// Refuses a device that does not hold what it held while the log has dirty data of it, and a new one that may be
    /// one which is missed.
    /// </summary>
    public void Check(BackingDevice backing)
    {
        if (backing.IsAbsent) return;
        if (backing.IsNew) CheckUnknown(backing);
        if (backing.HasLostSamples) CheckWithoutSamples(backing);
        if (!backing.HoldsSomethingElse || options.Rebind) return;
        bool isSureToBeIt = backing.Content == ContentVerdict.Changed && !backing.IsKnownByPlace;
        if (isSureToBeIt || holdings.Describe(backing) is not { } held) return;
        throw new UserErrorException($"{Difference(backing)}; the cache holds {held} of it; --option rebind=1 if it is "
            + "the right one all the same");
    }

    private void CheckWithoutSamples(BackingDevice backing)
    {
        if (options.Rebind || !backing.IsKnownByPlace || holdings.Describe(backing) is not { } held) return;
        throw new UserErrorException($"{backing.Device.Name}: whether this is '{backing.Name}' cannot be known: both "
            + $"copies of what {cache.Name} knew of its content are damaged; it holds {held} of it; --option rebind=1 "
            + "if it is the right one");
    }

    /// <summary>Says what is strange about a device that was taken.</summary>
    public void Warn(BackingDevice backing)
    {
        if (backing.IsAbsent) return;
        if (backing.HasLostSamples)
            options.Log($"{cache.Name}: both copies of what it knew of the content of '{backing.Name}' are damaged");
        if (backing.HoldsSomethingElse) options.Log(Difference(backing));
        else if (backing.WasWrittenMeanwhile)
            options.Log($"{backing.Device.Name}: nothing shows that '{backing.Name}' is as its cache left it: of what "
                + "was cached only what is dirty still counts");
    }

    private static string Difference(BackingDevice backing) =>
        $"{backing.Device.Name}: does not hold what '{backing.Name}' held: "
        + (backing.Content == ContentVerdict.Other ? "it is another device, or was " : "it was ")
        + "written without its cache";

    private void CheckUnknown(BackingDevice backing)
    {
        foreach (BackingDevice absent in backings.Absent)
        {
            if (absent.SizeBytes != backing.SizeBytes || holdings.Describe(absent) is not { } held) continue;
            throw new UserErrorException($"{backing.Device.Name}: '{backing.Name}' is new to this cache, which holds "
                + $"{held} of '{absent.Name}', a device of the same size that is not given: give "
                + $"{absent.Name}={backing.Device.Name} if it is that one (with --option rebind=1 if that is refused), "
                + $"else '{absent.Name}' first");
        }
    }

    /// <summary>What the devices hold now, before anybody writes to them.</summary>
    public void TakeSamples(ContentEvidence evidence)
    {
        foreach (BackingDevice backing in backings.ToList())
        {
            if (backing.IsAbsent) continue;
            if (NeedsSamples(backing, out _)) TakeSamples(backing, evidence.Sample(backing.Device, SamplesBlank));
            fingerprints.Table[backing.Id].FirstPosition = backing.FirstPosition;
        }
    }

    /// <summary>Of a device that was met, or that has few left; the others are kept.</summary>
    public void TakeSamples(BackingDevice backing, IReadOnlyList<BlockSample> samples)
    {
        if (NeedsSamples(backing, out bool isKnown))
            fingerprints.Take(backing.Id, backing.FirstPosition, samples, keepsWritten: isKnown);
    }

    /// <summary>
    /// Of writes that go round the log none shall be logged because a blank block is a sample.
    /// </summary>
    public bool SamplesBlank => !options.WriteAround && options.BypassSequentialWrites == 0;

    private bool NeedsSamples(BackingDevice backing, out bool isKnown)
    {
        ContentVerdict content = options.Layout.HasDeviceTable ? backing.Content : backing.ContentByLog;
        isKnown = !backing.IsNew && !options.Rebind && content is ContentVerdict.Same or ContentVerdict.Blank;
        int found = 0;
        for (int i = 0; i < DeviceSamples.FoundCount; i++)
            if (fingerprints.Table[backing.Id][i].Kind == SampleKind.Content) found++;
        return !isKnown || found < DeviceSamples.FoundCount / 2;
    }
}

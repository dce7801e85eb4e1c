using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;

namespace Weir.Core.Writeboost.Backings;

/// <summary>
/// Whether the backing devices are those that the log is about (R13), in layouts of the kernel, where others serve the
/// cache too: by what the log itself tells of the devices, by samples where no later segment speaks against them, and
/// where nothing tells, by where the device was found before.
/// </summary>
internal sealed unsafe class LogEvidence(
    Device cache, SuperblockState superblock, BackingTable backings, LogHoldings holdings, Fingerprints fingerprints,
    WriteboostOptions options) : IDisposable
{
    private const string RebindIfRight = "--option rebind=1 if it is the right one all the same";

    private KnownBlocks? _known;
    private SegmentNotes? _notes;

    /// <summary>What the cache keeps about its devices in the kernel's layouts; null in <c>native</c>.</summary>
    public SegmentNotes? Notes => _notes;

    /// <summary>What the scan of the log finds for that; null once nothing is missed any more.</summary>
    public KnownBlocks? Known => _known;

    /// <inheritdoc/>
    public void Dispose()
    {
        _known?.Dispose();
        _notes?.Dispose();
    }

    /// <summary>
    /// Refuses a device that holds nothing of what the log had written back to it, and one that may be another that is
    /// missed, while the log has dirty data of them. Without <paramref name="io"/>: by what was compared before.
    /// </summary>
    public void Check(BackingDevice backing, BlockingIo? io)
    {
        if (_known == null || backing.IsAbsent) return;
        if (io != null) CheckMark(backing, io);
        LogJudgement own = _known.Judge(io, backing.Device, backing.Id);
        if (holdings.Describe(backing) is { } held && !Mutant.Is(WriteboostMutant.R13LogNotAsked))
        {
            string? against = Against(backing, own, held, io);
            if (against != null)
                throw new UserErrorException($"{backing.Device.Name}: {against}{MarkAdvice}{RebindIfRight}");
        }
        foreach (BackingDevice absent in backings.Absent) CheckNotMissed(backing, absent, own.Verdict, io);
    }

    /// <summary>Says what speaks against a device that was taken, or that nothing could be compared.</summary>
    public void Warn(BackingDevice backing)
    {
        if (_known == null || backing.IsAbsent || holdings.Describe(backing) is not { } held) return;
        LogJudgement own = _known.Judge(null, backing.Device, backing.Id);
        if (own.Verdict == ContentVerdict.Changed)
            options.Log($"{backing.Device.Name}: {own.Differing} of {own.Compared} blocks that the cache knows "
                + $"'{backing.Name}' to hold differ: it was written without its cache");
        if (own.Verdict is ContentVerdict.Unknown or ContentVerdict.Blank && !IsNamed(backing))
            options.Log($"{backing.Device.Name}: the cache holds {held} of '{backing.Name}'; whether this is that "
                + "device cannot be known: the cache knows no block with content that it held");
    }

    /// <summary>
    /// It is served from now on: what was known of it changes. What the log holds below <paramref name="segment"/> says
    /// nothing about a device of which it holds nothing dirty, unless it was found to.
    /// </summary>
    public void Take(BackingDevice backing, long segment)
    {
        if (_notes == null || backing.IsAbsent) return;
        LogJudgement own = _known?.Judge(null, backing.Device, backing.Id) ?? default;
        backing.ContentByLog = own.Verdict;
        bool isIt = own.Verdict is ContentVerdict.Same or ContentVerdict.Changed;
        bool isMeant = holdings.Describe(backing) != null && !options.Rebind;
        if (!isIt && !isMeant) _notes.SetFirst(backing.Id, segment);
        _notes.SetDevice(backing.Id, backing.Device);
        _known?.Forget(backing.Id);
    }

    // Nothing vouches for the mark, which the module may have moved. Where it has come further than this program knows,
    // the device has to have what it says.
    private void CheckMark(BackingDevice backing, BlockingIo io)
    {
        if (!IsMarkMoved || Mutant.Is(WriteboostMutant.R8MarkNotAsked)) return;
        long mark = superblock.Now.MarkSequence - 1, known = fingerprints.Table.MarkSegment;
        LogJudgement moved = _known!.JudgeFrom(known + 1, io, backing.Device, backing.Id);
        if (moved.Verdict != ContentVerdict.Other) return;
        throw new UserErrorException($"{backing.Device.Name}: {cache.Name} says that segments up to {mark} have been "
            + $"written back, which it did not when it was served last, and '{backing.Name}' has none of "
            + $"{moved.Differing} blocks of them: it is another device, or was written without its cache, or the mark "
            + $"is rotten: {RebindIfRight}; if the mark is wrong, 'weir repair --layout {options.Layout.Name} --mark "
            + $"{known} --write' lets these segments count again, over what the device has now");
    }

    private bool IsMarkMoved =>
        fingerprints.Table.Generation != 0 && superblock.Now.MarkSequence - 1 > fingerprints.Table.MarkSegment;

    // Of what it says is written back some may not be.
    private string MarkAdvice => !IsMarkMoved ? ""
        : $"or the mark of the cache, {superblock.Now.MarkSequence - 1}, is rotten: 'weir repair --layout "
            + $"{options.Layout.Name} --mark {fingerprints.Table.MarkSegment} --write' sets it back, where the "
            + "device was not used without its cache; ";

    /// <summary>Before the log is read, which finds what the devices should hold.</summary>
    public void Read(BlockingIo io, DeviceQueue queue)
    {
        if (options.Layout.HasDeviceTable) return;
        _notes = SegmentNotes.Read(io, queue, cache);
        _notes.CacheId = superblock.Now.CacheId;
        if (options.Rebind) return;
        _known = new KnownBlocks(_notes);
        _known.AddSamples(fingerprints.Table);
    }

    /// <summary>Compares a device that may be any of those that are missed.</summary>
    public void LookAt(Device device, BlockingIo io)
    {
        if (_known == null) return;
        foreach (BackingDevice absent in backings.Absent) _known.Judge(io, device, absent.Id);
    }

    /// <summary>The devices that are there have been taken. What is known of those that are missed is for when they
    /// come.</summary>
    public void Keep(long segment)
    {
        foreach (BackingDevice backing in backings.ToList()) Warn(backing);
        foreach (BackingDevice backing in backings.ToList()) Take(backing, segment);
        if (backings.Absent.Length > 0) return;
        _known?.Dispose();
        _known = null;
    }

    // One that has some of the blocks may be it, or one with the same file system; then its own name must tell.
    private string? Against(BackingDevice backing, in LogJudgement own, string held, BlockingIo? io)
    {
        string knows = $"blocks that {cache.Name} knows '{backing.Name}' to hold";
        return own.Verdict switch
        {
            ContentVerdict.Other => $"has none of {own.Differing} {knows}: another device, or all were written without "
                + $"the cache; the cache holds {held} of it; {WhoseElse(backing, io)}",
            ContentVerdict.Changed when !IsNamed(backing) => $"does not have {own.Differing} of {own.Compared} "
                + $"{knows}: another device, or written without the cache; the cache holds {held} of it; "
                + WhoseElse(backing, io),
            ContentVerdict.Unknown or ContentVerdict.Blank when IsElsewhere(backing) => $"'{backing.Name}' was another "
                + $"device or in another place when {cache.Name} was served last; the cache holds {held} of it, and "
                + "knows no block with content by which to tell; ",
            _ => null,
        };
    }

    private bool IsNamed(BackingDevice backing) => _notes!.IsNamed(backing.Id, backing.Device);

    // Not from where it was served before, by any of its names; an unknown place is believed.
    private bool IsElsewhere(BackingDevice backing) =>
        _notes!.Knows(backing.Id) && !_notes.IsAt(backing.Id, backing.Device);

    // Its number is the user's to say, but not against what it holds; nor that it is new, where it may be the one that
    // is missed.
    private void CheckNotMissed(BackingDevice backing, BackingDevice absent, ContentVerdict own, BlockingIo? io)
    {
        if (absent.Id == backing.Id || holdings.Describe(absent) is not { } held || own == ContentVerdict.Same) return;
        ContentVerdict theirs = _known!.Judge(io, backing.Device, absent.Id).Verdict;
        if (theirs == ContentVerdict.Same)
            throw new UserErrorException($"{backing.Device.Name}: holds what device {absent.Id} of the cache held, "
                + $"which is missed, and of which the cache holds {held}: give {absent.Id}:NAME={backing.Device.Name}; "
                + "--option rebind=1 if it is another one all the same");
        bool isKnown = own == ContentVerdict.Changed || holdings.Describe(backing) != null
            || _notes!.IsAt(backing.Id, backing.Device);
        bool canBe = theirs != ContentVerdict.Other
            && backing.SizeBytes + Geometry.BlockBytes > absent.SizeBytes;
        if (isKnown || !canBe) return;
        throw new UserErrorException($"{backing.Device.Name}: '{backing.Name}' is new to this cache, which holds "
            + $"{held} of device {absent.Id}, which is not given: give {absent.Id}:NAME={backing.Device.Name} if it "
            + $"is that one, else device {absent.Id} too; --option rebind=1 if that one is gone and this is another");
    }

    private string WhoseElse(BackingDevice backing, BlockingIo? io)
    {
        foreach (BackingDevice other in backings.ToList())
        {
            bool isIt = other.Id != backing.Id
                && _known!.Judge(io, backing.Device, other.Id).Verdict is ContentVerdict.Same or ContentVerdict.Changed;
            if (isIt)
                return $"it holds what device {other.Id} held: give {other.Id}:NAME={backing.Device.Name}; ";
        }
        return "";
    }

    /// <summary>Whether a device that is to be served alone may be one that is missed.</summary>
    public ContentVerdict Judge(BlockingIo io, Device device, int id) => _known!.Judge(io, device, id).Verdict;
}

using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Backings;

namespace Weir.Core.Writeboost;

/// <content>The same where the cache keeps no samples: by what the log itself tells of the devices (R13).</content>
public sealed unsafe partial class WriteboostVolume
{
    private KnownBlocks? _known;

    /// <summary>
    /// Refuses a device that holds nothing of what the log had written back to it, and one that holds what another
    /// held that is missed, while the log has dirty data of them. Without <paramref name="io"/>: by what was compared
    /// before.
    /// </summary>
    internal void CheckByLog(BackingDevice backing, BlockingIo? io)
    {
        if (_known == null || backing.IsAbsent) return;
        if (HoldsOf(backing) is { } held)
        {
            LogJudgement own = _known.Judge(io, backing.Device, backing.Id);
            if (own.Verdict == ContentVerdict.Other && !Mutant.Is(MutantId.R13LogNotAsked))
                throw new UserErrorException($"{backing.Device.Name}: has none of {own.Compared} blocks that the log "
                    + $"of {Cache.Name} knows '{backing.Name}' to hold: another device, or all were written without "
                    + $"the cache; the cache holds {held} of it; {WhoseElse(backing, io)}--option rebind=1 if it is "
                    + "the right one all the same");
        }
        CheckNotMissed(backing, io);
    }

    /// <summary>Says what speaks against a device that was taken, or that nothing could be compared.</summary>
    internal void WarnByLog(BackingDevice backing)
    {
        if (_known == null || backing.IsAbsent || HoldsOf(backing) is not { } held) return;
        LogJudgement own = _known.Judge(null, backing.Device, backing.Id);
        if (own.Verdict == ContentVerdict.Changed)
            Options.Log($"{backing.Device.Name}: {own.Differing} of {own.Compared} blocks that the log knows "
                + $"'{backing.Name}' to hold differ: it was written without its cache");
        if (own.Verdict is ContentVerdict.Unknown or ContentVerdict.Blank)
            Options.Log($"{backing.Device.Name}: the cache holds {held} of '{backing.Name}'; whether this is that "
                + "device cannot be known: the log has no block with content that was written back to it");
    }

    /// <summary>It is served from now on: what was known of it changes.</summary>
    internal void ForgetKnown(BackingDevice backing) => _known?.Forget(backing.Id);

    // Compares a device that may be any of those that are missed.
    private void LookByLog(Device device, BlockingIo io)
    {
        if (_known == null) return;
        foreach (BackingDevice absent in Backings.Absent) _known.Judge(io, device, absent.Id);
    }

    // What is known of devices that are missed is for when they come.
    private void KeepKnown()
    {
        foreach (BackingDevice backing in Backings.ToList()) WarnByLog(backing);
        foreach (BackingDevice backing in Backings.ToList())
            if (!backing.IsAbsent) ForgetKnown(backing);
        if (Backings.Absent.Length > 0) return;
        _known?.Dispose();
        _known = null;
    }

    // Its number is the user's to say, but not against what it holds.
    private void CheckNotMissed(BackingDevice backing, BlockingIo? io)
    {
        foreach (BackingDevice absent in Backings.Absent)
        {
            if (absent.Id == backing.Id || HoldsOf(absent) is not { } held) continue;
            if (_known!.Judge(io, backing.Device, absent.Id).Verdict != ContentVerdict.Same) continue;
            if (_known.Judge(io, backing.Device, backing.Id).Verdict == ContentVerdict.Same) continue;
            throw new UserErrorException($"{backing.Device.Name}: holds what device {absent.Id} of the cache held, "
                + $"which is missed, and of which the cache holds {held}: give {absent.Id}:NAME={backing.Device.Name}; "
                + "--option rebind=1 if it is another one all the same");
        }
    }

    private string WhoseElse(BackingDevice backing, BlockingIo? io)
    {
        foreach (BackingDevice other in Backings.ToList())
        {
            bool isIt = other.Id != backing.Id
                && _known!.Judge(io, backing.Device, other.Id).Verdict is ContentVerdict.Same or ContentVerdict.Changed;
            if (isIt)
                return $"it holds what device {other.Id} held: give {other.Id}:NAME={backing.Device.Name}; ";
        }
        return "";
    }
}

using System;
using System.Collections.Generic;

namespace Weir.Tests.Simulation;

/// <summary>
/// The promise of a log: what survives a power cut is a prefix of the write order.
/// </summary>
/// <remarks>
/// <para>The model (R2): pieces take effect in one total order, the log's. It respects real time (A before B if A was
/// acknowledged before B was submitted) and the order of addresses inside a request. What survives is a prefix of it:
/// a set S of pieces, closed downward, that contains every flushed piece. The image shows on every sector the last
/// piece of S that covers it. The check asks whether any S and any order explain the image.</para>
/// <para>Real time is an interval order, so the closure of what must be in S is a threshold: let H be the largest
/// submission time of anything that must be in S, or of an acknowledged flush; then every piece acknowledged before H
/// is in S. Besides, S holds acknowledged FUA writes, and of a write that shows in some block that piece and all in
/// earlier blocks. After a process death H is infinite: every acknowledged piece is in S.</para>
/// <para>A sector is wrong as <see cref="Promise"/> says, with S for what is required. And two pieces of one block that
/// both cover sectors a and b cannot win one each.</para>
/// <para>Tags name V exactly. Zeroes, and bytes written twice, do not: V is any of the writes with that value, or the
/// baseline. Soundness (no false alarm): such a sector counts as the candidate that explains it best, and raises H
/// only to the earliest submission among the candidates that are possible under the present H. H only grows, so the
/// loop ends at the least fixed point: the weakest demand that is consistent.</para>
/// <para>Afterwards the image is the new baseline. After a power cut (or a lost memory file) recovery has flushed what
/// it shows (R12): the history begins anew. After a process death what shows may still be volatile, so the history
/// stays: dead pieces are struck out, survivors count as acknowledged at the death.</para>
/// </remarks>
public sealed class PrefixOrder(long sectorCount) : Promise(new History(sectorCount))
{
    private readonly List<long> _ambiguous = [];
    private string? _failure;

    /// <inheritdoc/>
    public override string? Check(ReadOnlySpan<ulong> image, CrashKind kind)
    {
        long horizon = FirstHorizon(kind);
        foreach (ref WriteRecord w in History.Writes) w.LastVisibleBlock = -1;
        _ambiguous.Clear();
        for (long x = 0; x < image.Length; x++)
        {
            string? wrong = Collect(x, image[(int)x], ref horizon);
            if (wrong != null) return wrong;
        }
        if (!Settle(image, ref horizon)) return _failure;
        for (long x = 0; x < image.Length; x++)
        {
            ulong value = image[(int)x];
            if (History.Newest(x) == None || value == SectorTag.Unknown) continue;
            if (Lacks(x, value, horizon, out int by)) return Lost(x, value, by, horizon);
        }
        Horizon = horizon;
        return CheckInterleaving(image);
    }

    private protected override bool Required(in HistoryEntry e, in WriteRecord w, long x, long horizon) =>
        base.Required(e, w, x, horizon) || (w.HasData && x / SectorTag.PerBlock <= w.LastVisibleBlock);

    /// <summary>First look at a sector: its value must have been written there; certain winners raise H.</summary>
    private string? Collect(long x, ulong value, ref long horizon)
    {
        if (value == SectorTag.Unknown) return null;
        int entry = Find(x, value, History.Newest(x));
        if (entry == None && History.Base[x] != value) return Strange(x, value);
        if (History.Newest(x) == None) return null;
        if (value == 0 || SectorTag.IsForeign(value))
        {
            _ambiguous.Add(x);
        }
        else if (entry != None)
        {
            ref WriteRecord w = ref History.Writes[History.Entries[entry].Write];
            horizon = Math.Max(horizon, w.Submitted);
            w.LastVisibleBlock = Math.Max(w.LastVisibleBlock, x / SectorTag.PerBlock);
        }
        return null;
    }

    /// <summary>Raises H by the sectors whose writer is not certain, until nothing changes.</summary>
    private bool Settle(ReadOnlySpan<ulong> image, ref long horizon)
    {
        bool changed = true;
        while (changed)
        {
            changed = false;
            foreach (long x in _ambiguous)
            {
                long least = LeastSubmission(x, image[(int)x], Floor(x, horizon, out int by));
                if (least == History.Never)
                {
                    _failure = Lost(x, image[(int)x], by, horizon);
                    return false;
                }
                if (least <= horizon) continue;
                horizon = least;
                changed = true;
            }
        }
        return true;
    }

    /// <summary>The earliest submission among the candidates that no piece of S hides; 0 for the baseline.</summary>
    private long LeastSubmission(long x, ulong value, long floor)
    {
        if (floor == 0 && History.Base[x] == value) return 0;
        long least = History.Never;
        for (int i = Find(x, value, History.Newest(x)); i != None; i = Find(x, value, History.Entries[i].Older))
        {
            ref WriteRecord w = ref History.Writes[History.Entries[i].Write];
            if (w.End >= floor) least = Math.Min(least, w.Submitted);
        }
        return least;
    }

    /// <summary>Two tagged pieces of one block: where both wrote, the same one must win everywhere.</summary>
    private string? CheckInterleaving(ReadOnlySpan<ulong> image)
    {
        for (int x = 0; x < image.Length; x++)
        {
            if (!Tagged(x, image[x])) continue;
            int end = Math.Min(image.Length, (x / SectorTag.PerBlock + 1) * SectorTag.PerBlock);
            for (int y = x + 1; y < end; y++)
            {
                if (image[y] == image[x] || !Tagged(y, image[y])) continue;
                if (Find(x, image[y], History.Newest(x)) == None) continue;
                if (Find(y, image[x], History.Newest(y)) == None) continue;
                return $"writes {image[x]} and {image[y]} are mixed in one block: sector {x} shows one, {y} the other";
            }
        }
        return null;
    }

    private bool Tagged(long x, ulong value) =>
        History.Newest(x) != None && value != 0 && value != SectorTag.Unknown && !SectorTag.IsForeign(value);
}

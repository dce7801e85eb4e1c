using System;
using System.Collections.Generic;

namespace Weir.Tests.Simulation;

/// <summary>What ended the life before.</summary>
public enum CrashKind
{
    /// <summary>Nothing of the kind: an orderly stop.</summary>
    None,
    /// <summary>The process died; memory that outlives it is there.</summary>
    Process,
    /// <summary>The process died, and somebody removed that memory.</summary>
    ProcessWithoutRam,
    /// <summary>Power or kernel failed.</summary>
    Power,
}

/// <summary>
/// Judges the image that a reopened volume shows.
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
/// <para>A sector that shows V is wrong if V was over (acknowledged, or its process dead) before some piece in S that
/// covers the sector was submitted: that piece comes after V and would show instead. And two pieces of one block that
/// both cover sectors a and b cannot win one each.</para>
/// <para>Tags name V exactly. Zeroes, and bytes written twice, do not: V is any of the writes with that value, or the
/// baseline. Soundness (no false alarm): such a sector counts as the candidate that explains it best, and raises H
/// only to the earliest submission among the candidates that are possible under the present H. H only grows, so the
/// loop ends at the least fixed point: the weakest demand that is consistent.</para>
/// <para>Afterwards the image is the new baseline. After a power cut (or a lost memory file) recovery has flushed what
/// it shows (R12): the history begins anew. After a process death what shows may still be volatile, so the history
/// stays: dead pieces are struck out, survivors count as acknowledged at the death.</para>
/// </remarks>
public sealed class CrashOracle(History history)
{
    /// <summary>A sector that could not be read: says nothing.</summary>
    public const ulong Unknown = 1UL << 62;

    private const int None = -1;
    private readonly List<long> _ambiguous = [];
    private string? _failure;

    /// <summary>After a check: what was acknowledged before then survived.</summary>
    public long Horizon { get; private set; }

    /// <summary>Checks <paramref name="image"/>; the message of the first violation, or null.</summary>
    public string? Check(ReadOnlySpan<ulong> image, CrashKind kind)
    {
        long horizon = kind is CrashKind.Process or CrashKind.None ? History.Never : history.DurableHorizon;
        foreach (ref WriteRecord w in history.Writes) w.LastVisibleBlock = -1;
        _ambiguous.Clear();
        for (long x = 0; x < image.Length; x++)
        {
            string? wrong = Collect(x, image[(int)x], ref horizon);
            if (wrong != null) return wrong;
        }
        if (!Settle(image, ref horizon)) return _failure;
        for (long x = 0; x < image.Length; x++)
        {
            if (history.Newest(x) == None || image[(int)x] == Unknown) continue;
            if (LatestEnd(x, image[(int)x]) < Floor(x, horizon, out int by)) return Lost(x, image[(int)x], by, horizon);
        }
        Horizon = horizon;
        return CheckInterleaving(image);
    }

    /// <summary>Everything up to the image is settled: makes it the baseline. Call after a successful check.</summary>
    public void Rebase(ReadOnlySpan<ulong> image, bool durable)
    {
        bool whole = !image.Contains(Unknown);
        if (durable && !whole) history.SettleHidden(image, Horizon);
        for (int x = 0; x < image.Length; x++)
        {
            if (image[x] == Unknown) continue;
            history.Shown[x] = image[x];
            if (!durable) StrikeDead(x, image[x]);
            else history.Base[x] = image[x];
            if (durable && !whole) history.Clear(x);
        }
        if (durable && whole) history.Compact();
        history.ShownAt = history.Tick();
    }

    /// <summary>First look at a sector: its value must have been written there; certain winners raise H.</summary>
    private string? Collect(long x, ulong value, ref long horizon)
    {
        if (value == Unknown) return null;
        int entry = Find(x, value, history.Newest(x));
        bool isBase = history.Base[x] == value;
        if (entry == None && !isBase) return Strange(x, value);
        if (history.Newest(x) == None) return null;
        if (value == 0 || SectorTag.IsForeign(value))
        {
            _ambiguous.Add(x);
        }
        else if (entry != None && !history.Unordered)
        {
            ref WriteRecord w = ref history.Writes[history.Entries[entry].Write];
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
                if (least <= horizon || history.Unordered) continue;
                horizon = least;
                changed = true;
            }
        }
        return true;
    }

    /// <summary>The latest submission among a sector's pieces that are in S, and which it is; 0 for none.</summary>
    private long Floor(long x, long horizon, out int by)
    {
        long floor = 0;
        by = 0;
        for (int i = history.Newest(x); i != None; i = history.Entries[i].Older)
        {
            ref HistoryEntry e = ref history.Entries[i];
            ref WriteRecord w = ref history.Writes[e.Write];
            if (w.Submitted <= floor || !Required(e, w, x, horizon)) continue;
            floor = w.Submitted;
            by = e.Write;
        }
        return floor;
    }

    private static bool Required(in HistoryEntry e, in WriteRecord w, long x, long horizon)
    {
        bool covered = w.Fua || (w.Acknowledged < horizon && !w.Forgiven);
        if (w.Acknowledged != History.Never && covered) return true;
        if (e.Survived && w.Closed < horizon && !w.Forgiven) return true;
        return w.HasData && x / SectorTag.PerBlock <= w.LastVisibleBlock;
    }

    /// <summary>When the latest candidate for a sector's value was over; 0 if only the baseline has it.</summary>
    private long LatestEnd(long x, ulong value)
    {
        long end = 0;
        for (int i = Find(x, value, history.Newest(x)); i != None; i = Find(x, value, history.Entries[i].Older))
        {
            end = Math.Max(end, history.Writes[history.Entries[i].Write].End);
        }
        return end;
    }

    /// <summary>The earliest submission among the candidates that no piece of S hides; 0 for the baseline.</summary>
    private long LeastSubmission(long x, ulong value, long floor)
    {
        if (floor == 0 && history.Base[x] == value) return 0;
        long least = History.Never;
        for (int i = Find(x, value, history.Newest(x)); i != None; i = Find(x, value, history.Entries[i].Older))
        {
            ref WriteRecord w = ref history.Writes[history.Entries[i].Write];
            if (w.End >= floor) least = Math.Min(least, w.Submitted);
        }
        return least;
    }

    private int Find(long x, ulong value, int entry)
    {
        while (entry != None && history.Entries[entry].Value != value) entry = history.Entries[entry].Older;
        return entry;
    }

    /// <summary>Two tagged pieces of one block: where both wrote, the same one must win everywhere.</summary>
    private string? CheckInterleaving(ReadOnlySpan<ulong> image)
    {
        for (int x = 0; x < image.Length && !history.Unordered; x++)
        {
            if (!Tagged(x, image[x])) continue;
            int end = Math.Min(image.Length, (x / SectorTag.PerBlock + 1) * SectorTag.PerBlock);
            for (int y = x + 1; y < end; y++)
            {
                if (image[y] == image[x] || !Tagged(y, image[y])) continue;
                if (Find(x, image[y], history.Newest(x)) == None) continue;
                if (Find(y, image[x], history.Newest(y)) == None) continue;
                return $"writes {image[x]} and {image[y]} are mixed in one block: sector {x} shows one, {y} the other";
            }
        }
        return null;
    }

    private bool Tagged(long x, ulong value) =>
        history.Newest(x) != None && value != 0 && value != Unknown && !SectorTag.IsForeign(value);

    /// <summary>Removes the pieces that the image proves dead, marks the one that it proves alive.</summary>
    private void StrikeDead(long x, ulong value)
    {
        int i = history.Newest(x);
        if (i == None || value == Unknown) return;
        long end = LatestEnd(x, value);
        bool certain = value != 0 && !SectorTag.IsForeign(value);
        int previous = None;
        for (; i != None; i = history.Entries[i].Older)
        {
            ref HistoryEntry e = ref history.Entries[i];
            ref WriteRecord w = ref history.Writes[e.Write];
            if (end < w.Submitted)
            {
                if (previous == None) history.SetNewest(x, e.Older);
                else history.Entries[previous].Older = e.Older;
                continue;
            }
            if (certain && e.Value == value && w.Acknowledged == History.Never) e.Survived = true;
            previous = i;
        }
    }

    private string Strange(long x, ulong value)
    {
        string shown = SectorTag.IsForeign(value) ? "bytes that nobody wrote there" : $"write {value}";
        return $"sector {x} shows {shown}: never written there, known dead, or durably replaced" + history.Explain(x);
    }

    private string Lost(long x, ulong value, int by, long horizon)
    {
        string shown = value == 0 ? "zeroes" : SectorTag.IsForeign(value) ? "foreign bytes" : $"write {value}";
        string why = horizon == History.Never ? "all acknowledged ones do" : $"closed up to {horizon}";
        return $"sector {x} shows {shown}, but write {by} came after it and must have survived: {why}"
            + history.Explain(x);
    }
}

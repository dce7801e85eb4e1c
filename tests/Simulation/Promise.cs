using System;

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
/// What an engine promises about the sectors of its volume: keeps the history of a run, judges every read, and judges
/// the image that a reopened volume shows.
/// </summary>
/// <remarks>
/// Common to all promises: a sector shows zeroes where it was never written, or what some write put there, whole.
/// Some writes must have survived (<see cref="Required"/>): after the death of the process every acknowledged one,
/// after a power cut those that a flush covers, or FUA. A sector that shows V is wrong if V was over (acknowledged, or
/// its process dead) before a required write that covers the sector was submitted: that one comes after V and would
/// show instead. And what a reopened volume has shown stays: after a power cut it is the new baseline, after the death
/// of a process what it proves dead is struck out.
/// </remarks>
public abstract class Promise(History history)
{
    private protected const int None = -1;

    /// <summary>All writes of the run.</summary>
    public History History => history;

    /// <summary>After a check: what was acknowledged before then survived.</summary>
    public long Horizon { get; set; }

    /// <summary>
    /// Checks <paramref name="image"/>, sector by sector (<see cref="SectorTag.Unknown"/> says nothing); the message
    /// of the first violation, or null.
    /// </summary>
    public abstract string? Check(ReadOnlySpan<ulong> image, CrashKind kind);

    /// <summary>Everything up to the image is settled: makes it the baseline. Call after a successful check.</summary>
    public void Rebase(ReadOnlySpan<ulong> image, bool durable)
    {
        bool whole = !image.Contains(SectorTag.Unknown);
        if (durable && !whole) history.SettleHidden(image, Horizon);
        for (int x = 0; x < image.Length; x++)
        {
            if (image[x] == SectorTag.Unknown) continue;
            history.Shown[x] = image[x];
            if (!durable) StrikeDead(x, image[x]);
            else history.Base[x] = image[x];
            if (durable && !whole) history.Clear(x);
        }
        if (durable && whole) history.Compact();
        history.ShownAt = history.Tick();
    }

    private protected long FirstHorizon(CrashKind kind) =>
        kind is CrashKind.Process or CrashKind.None ? History.Never : history.DurableHorizon;

    /// <summary>A required write is missing at a sector that shows this.</summary>
    private protected bool Lacks(long x, ulong value, long horizon, out int by)
    {
        long floor = Floor(x, horizon, out by);
        return LatestEnd(x, value) < floor;
    }

    /// <summary>The latest submission among a sector's required pieces, and which it is; 0 for none.</summary>
    private protected long Floor(long x, long horizon, out int by)
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

    /// <summary>A piece must have survived, if all that was acknowledged before the horizon has.</summary>
    private protected virtual bool Required(in HistoryEntry e, in WriteRecord w, long x, long horizon)
    {
        bool covered = w.Fua || (w.Acknowledged < horizon && !w.Forgiven);
        if (w.Acknowledged != History.Never && covered) return true;
        return e.Survived && w.Closed < horizon && !w.Forgiven;
    }

    /// <summary>When the latest candidate for a sector's value was over; 0 if only the baseline has it.</summary>
    private protected long LatestEnd(long x, ulong value)
    {
        long end = 0;
        for (int i = Find(x, value, history.Newest(x)); i != None; i = Find(x, value, history.Entries[i].Older))
        {
            end = Math.Max(end, history.Writes[history.Entries[i].Write].End);
        }
        return end;
    }

    /// <summary>The next write from <paramref name="entry"/> on that put this value there.</summary>
    private protected int Find(long x, ulong value, int entry)
    {
        while (entry != None && history.Entries[entry].Value != value) entry = history.Entries[entry].Older;
        return entry;
    }

    private protected string Strange(long x, ulong value)
    {
        string shown = SectorTag.IsForeign(value) ? "bytes that nobody wrote there" : $"write {value}";
        return $"sector {x} shows {shown}: never written there, known dead, or durably replaced" + history.Explain(x);
    }

    private protected string Lost(long x, ulong value, int by, long horizon)
    {
        string shown = value == 0 ? "zeroes" : SectorTag.IsForeign(value) ? "foreign bytes" : $"write {value}";
        string why = horizon == History.Never ? "all acknowledged ones do" : $"closed up to {horizon}";
        return $"sector {x} shows {shown}, but write {by} came after it and must have survived: {why}"
            + history.Explain(x);
    }

    /// <summary>Removes the pieces that the image proves dead, marks the one that it proves alive.</summary>
    private void StrikeDead(long x, ulong value)
    {
        int i = history.Newest(x);
        if (i == None || value == SectorTag.Unknown) return;
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
}

using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using Weir.Core.Io;

namespace Weir.Tests.Simulation;

/// <summary>One request that changes data. Times are those of the history's own clock.</summary>
public struct WriteRecord
{
    public RequestKind Kind;
    public bool Fua;
    public long FirstSector;
    public long SectorCount;
    public long Submitted;
    public long Acknowledged;
    /// <summary>The process that had it died before the acknowledgement.</summary>
    public long Closed;
    /// <summary>Set by a crash check: the last block in which it shows. All its pieces up to there survived.</summary>
    public long LastVisibleBlock;
    /// <summary>A flush that should have covered it failed: the device may have dropped it.</summary>
    public bool Forgiven;

    /// <summary>Data goes along (not discard or zeroes).</summary>
    public readonly bool HasData => Kind == RequestKind.Write;

    /// <summary>From here on it is over, one way or the other.</summary>
    public readonly long End => Math.Min(Acknowledged, Closed);
}

/// <summary>One sector of a write, in the list of its sector: newest first.</summary>
public struct HistoryEntry
{
    public int Write;
    public int Older;
    /// <summary>The process died before the acknowledgement, and the sector was seen to have survived.</summary>
    public bool Survived;
    /// <summary>When a completed read first showed it.</summary>
    public long Seen;
    public ulong Value;
}

/// <summary>
/// Every write of a run with its times, and for every sector the writes that may still matter. The judge of reads
/// while the volume runs; a <see cref="Promise"/> judges what a crash left.
/// </summary>
public sealed class History
{
    public const long Never = long.MaxValue;
    private const int None = -1;
    private readonly List<WriteRecord> _writes = [default];
    private readonly List<HistoryEntry> _entries = [];
    private readonly int[] _newest;

    public History(long sectorCount)
    {
        SectorCount = sectorCount;
        _newest = new int[sectorCount];
        Base = new ulong[sectorCount];
        Shown = new ulong[sectorCount];
        Array.Fill(_newest, None);
    }

    public long SectorCount { get; }

    /// <summary>Values that are durable for certain and older than every entry.</summary>
    public ulong[] Base { get; }

    /// <summary>Values that the last verification saw; what reads return until something newer is written.</summary>
    public ulong[] Shown { get; }

    /// <summary>When that verification ended.</summary>
    public long ShownAt { get; set; }

    /// <summary>The history's clock: one tick per event, so that no two are equal.</summary>
    public long Clock { get; private set; } = 1;

    /// <summary>
    /// A sector survives or is lost for itself, until a flush covers it: as <see cref="StableInPlace"/> has it.
    /// </summary>
    public bool SectorBySector { get; init; }

    /// <summary>Everything acknowledged before this has been flushed.</summary>
    public long DurableHorizon { get; private set; }

    public Span<WriteRecord> Writes => CollectionsMarshal.AsSpan(_writes);
    public Span<HistoryEntry> Entries => CollectionsMarshal.AsSpan(_entries);

    /// <summary>Newest entry of a sector, or -1.</summary>
    public int Newest(long sector) => _newest[sector];

    /// <summary>Removes every entry of a sector.</summary>
    public void Clear(long sector) => _newest[sector] = None;

    /// <summary>A sector shows this, whatever was written to it before.</summary>
    public void Settle(long sector, ulong value, bool durable)
    {
        Shown[sector] = value;
        if (!durable) return;
        Base[sector] = value;
        Clear(sector);
    }

    /// <summary>Replaces the list of a sector.</summary>
    public void SetNewest(long sector, int entry) => _newest[sector] = entry;

    /// <summary>Now; the next event is later.</summary>
    public long Tick() => Clock++;

    /// <summary>A write is submitted. Returns its number, which tags its sectors.</summary>
    public int Submit(RequestKind kind, bool fua, long firstSector, long sectorCount)
    {
        _writes.Add(new WriteRecord
        {
            Kind = kind, Fua = fua, FirstSector = firstSector, SectorCount = sectorCount,
            Submitted = Tick(), Acknowledged = Never, Closed = Never, LastVisibleBlock = -1,
        });
        return _writes.Count - 1;
    }

    /// <summary>Adds one sector of a submitted write.</summary>
    public void Add(int write, long sector, ulong value)
    {
        _entries.Add(new HistoryEntry { Write = write, Older = _newest[sector], Seen = Never, Value = value });
        _newest[sector] = _entries.Count - 1;
    }

    /// <summary>A write is acknowledged.</summary>
    public void Acknowledge(int write)
    {
        ref WriteRecord w = ref Writes[write];
        w.Acknowledged = Tick();
        if (w.Fua && !SectorBySector) DurableHorizon = Math.Max(DurableHorizon, w.Submitted);
    }

    /// <summary>A flush that was submitted at <paramref name="submitted"/> is acknowledged.</summary>
    public void AcknowledgeFlush(long submitted) => DurableHorizon = Math.Max(DurableHorizon, submitted);

    /// <summary>
    /// A flush of the device that keeps data in place has failed. What went there unflushed may be gone, and nothing
    /// but that device ever had it; the client is told by its next flush.
    /// </summary>
    public void ForgiveUnflushed()
    {
        if (!SectorBySector) return;
        foreach (ref WriteRecord w in Writes) w.Forgiven |= w.Acknowledged >= DurableHorizon && w.Closed == Never;
    }

    /// <summary>
    /// What survived is settled, but some sectors cannot be seen (<see cref="SectorTag.Unknown"/>): their device is
    /// absent. What must be there must be there for ever; of the rest, nobody can ask for it later.
    /// </summary>
    public void SettleHidden(ReadOnlySpan<ulong> image, long horizon)
    {
        foreach (ref WriteRecord w in Writes)
        {
            bool hidden = image[(int)w.FirstSector] == SectorTag.Unknown && w.SectorCount > 0;
            bool kept = w.Acknowledged != Never && (w.Fua || w.Acknowledged < horizon);
            w.Forgiven |= hidden && !kept;
        }
        if (horizon != Never) DurableHorizon = Math.Max(DurableHorizon, horizon);
    }

    /// <summary>The process died, or stopped: what was not acknowledged never will be.</summary>
    public void Close()
    {
        long now = Tick();
        foreach (ref WriteRecord w in Writes)
        {
            if (w.Acknowledged == Never && w.Closed == Never) w.Closed = now;
        }
    }

    /// <summary>An orderly stop made everything durable.</summary>
    public void Stopped() => DurableHorizon = Tick();

    /// <summary>Forgets all entries, once no sector's list is needed any more.</summary>
    public void Compact()
    {
        Array.Fill(_newest, None);
        _entries.Clear();
    }

    /// <summary>
    /// May a read submitted at <paramref name="submitted"/>, completing now, return <paramref name="value"/>? Every
    /// write takes effect at one moment between submission and acknowledgement, and a read at one moment too; a write
    /// that a read has shown has taken effect.
    /// </summary>
    public bool ReadAllowed(long sector, ulong value, long submitted, long now)
    {
        Span<HistoryEntry> entries = Entries;
        Span<WriteRecord> writes = Writes;
        long floor = 0;
        for (int i = _newest[sector]; i != None; i = entries[i].Older)
        {
            ref HistoryEntry e = ref entries[i];
            ref WriteRecord w = ref writes[e.Write];
            if (w.Submitted < ShownAt) break;
            long effective = Math.Min(w.Acknowledged, e.Seen);
            if (e.Value == value && effective >= floor)
            {
                if (value != 0 && !SectorTag.IsForeign(value)) e.Seen = Math.Min(e.Seen, now);
                return true;
            }
            if (floor == 0 && effective < submitted) floor = w.Submitted;
        }
        return floor == 0 && value == Shown[sector];
    }

    /// <summary>The values a read could return now, newest first: for messages.</summary>
    public string Explain(long sector)
    {
        var text = new System.Text.StringBuilder();
        for (int i = _newest[sector]; i != None && text.Length < 600; i = Entries[i].Older)
        {
            HistoryEntry e = Entries[i];
            WriteRecord w = Writes[e.Write];
            text.Append($"\n    write {e.Write} {w.Kind}{(w.Fua ? " FUA" : "")}")
                .Append($" sectors {w.FirstSector}+{w.SectorCount}")
                .Append($" submitted {w.Submitted} acknowledged {Time(w.Acknowledged)} closed {Time(w.Closed)}")
                .Append(e.Survived ? " survived" : "").Append(e.Seen == Never ? "" : $" seen {e.Seen}");
        }
        return text.Append($"\n    last shown {Shown[sector]:x} at {ShownAt}, durable base {Base[sector]:x}, ")
            .Append($"flushed up to {DurableHorizon}").ToString();
    }

    private static string Time(long t) => t == Never ? "never" : $"{t}";
}

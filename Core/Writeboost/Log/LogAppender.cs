using System;
using Weir.Core.Base;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Log;

/// <summary>One slot of the log, of whoever has reserved it.</summary>
internal readonly struct LogSlot(int ram, long segment, int index, int record, long position)
{
    /// <summary>RAM segment.</summary>
    public readonly int Ram = ram;

    /// <summary>Place in the segment; never 0, which is a header's.</summary>
    public readonly int Index = index;

    /// <summary>Header slot of its record.</summary>
    public readonly int Record = record;

    /// <summary>Sequence of the segment.</summary>
    public readonly long Segment = segment;

    /// <summary>Its place in the order of all writes.</summary>
    public readonly long Position = position;
}

/// <summary>Fills slots, one after the other; a struct, so that no slot costs a virtual call.</summary>
internal interface ISlotFiller
{
    /// <summary>Gives the slot its bytes, its entry, and its place in the index.</summary>
    void Fill(in LogSlot slot);
}

/// <summary>
/// How one thread adds to the log, whatever it adds:
/// <list type="number">
/// <item>reserve: slots are taken, in order (R2); every one that is taken must be filled (R3).</item>
/// <item>fill: the slot gets its bytes.</item>
/// <item>publish: entry, then stamp: from here on the slot outlives the process (R1). Then the caller enters it into
/// the index.</item>
/// <item>count: its record knows it as filled. Whoever has drawn a header slot closes the record before it; the record
/// is written when it is closed and all its slots are counted.</item>
/// </list>
/// </summary>
internal sealed unsafe class LogAppender(SegmentLog log, LogPort port)
{
    private readonly RamSegments _ram = log.Ram;
    private readonly int _boundaryMask = log.Geometry.BoundarySlots - 1;
    private readonly int _segmentEnd = log.Geometry.SlotsPerSegment + 1;

    /// <inheritdoc cref="SegmentLog.TryReserve"/>
    public bool TryReserve(int wanted, out Reservation taken) => log.TryReserve(wanted, port, out taken);

    /// <inheritdoc cref="SegmentLog.TryReserveSpare"/>
    public bool TryReserveSpare(int wanted, out Reservation taken) => log.TryReserveSpare(wanted, port, out taken);

    /// <summary>
    /// Has all slots of <paramref name="taken"/> filled by <paramref name="filler"/>, counted together up to the next
    /// header slot; closes the records before the header slots among them.
    /// </summary>
    public void Fill<TFiller>(in Reservation taken, ref TFiller filler) where TFiller : struct, ISlotFiller
    {
        Invariant.Check(taken.Count > 0);
        int ram = log.RamOf(taken.Segment);
        int end = Math.Min(taken.First + taken.Count, _segmentEnd);
        for (int slot = taken.First; slot < end; slot++)
        {
            int header = Math.Min(end, (slot + _boundaryMask) & ~_boundaryMask);
            if (header > slot) FillRun(taken, ram, slot, header, ref filler);
            slot = header;
            if (header < end) log.CloseRecord(port, ram, log.RecordOf(taken, header - 1), header);
        }
    }

    /// <summary>
    /// One slot, from the reserve too, for work that frees more than it takes; the caller publishes and counts it.
    /// False: none is to be had.
    /// </summary>
    public bool TryTakeUrgent(out LogSlot slot)
    {
        slot = default;
        while (log.TryReserve(1, port, out Reservation taken, urgent: true))
        {
            Invariant.Check(taken.Count == 1);
            int ram = log.RamOf(taken.Segment);
            bool isHeader = (taken.First & _boundaryMask) == 0;
            if (isHeader) log.CloseRecord(port, ram, log.RecordOf(taken, taken.First - 1), taken.First);
            else slot = SlotAt(ram, taken.Segment, taken.First, log.RecordOf(taken, taken.First));
            if (!isHeader) return true;
        }
        return false;
    }

    /// <summary>The slot's 4 KiB.</summary>
    public byte* Data(in LogSlot slot) => _ram.Data(slot.Ram, slot.Index);

    /// <summary>
    /// Says what the slot holds, but not to a start after a crash, which has no use for it: nothing, or a clean block.
    /// </summary>
    public void Describe(in LogSlot slot, in LogEntry entry) => *_ram.Entry(slot.Ram, slot.Index) = entry;

    /// <summary>The slot's bytes are there: <paramref name="entry"/> says what they are, and it counts.</summary>
    public void Publish(in LogSlot slot, in LogEntry entry)
    {
        Mutant.Point();
        *_ram.Entry(slot.Ram, slot.Index) = entry;
        Mutant.Point();
        if (!Mutant.Is(WriteboostMutant.R1NotPublished)) Stamp(slot);
        Mutant.Point();
    }

    /// <summary>The last step of <see cref="Publish"/>.</summary>
    public void Stamp(in LogSlot slot) => _ram.Publish(slot.Ram, slot.Index, slot.Segment);

    /// <summary>The slot of <see cref="TryTakeUrgent"/> is published and in the index.</summary>
    public void Count(in LogSlot slot) => log.CountFilled(port, slot.Ram, slot.Record, 1);

    private void FillRun<TFiller>(in Reservation taken, int ram, int first, int end, ref TFiller filler)
        where TFiller : struct, ISlotFiller
    {
        int record = log.RecordOf(taken, first);
        Invariant.Check(record < first);
        for (int slot = first; slot < end; slot++) filler.Fill(SlotAt(ram, taken.Segment, slot, record));
        log.CountFilled(port, ram, record, end - first);
    }

    private LogSlot SlotAt(int ram, long segment, int index, int record) =>
        new(ram, segment, index, record, log.Geometry.Position(segment, index));
}

using System.Threading;
using Weir.Core.Base;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Log;

/// <content>Reserving, filling and closing: the write path's part.</content>
public sealed unsafe partial class SegmentLog
{
    /// <summary>
    /// Takes up to <paramref name="wanted"/> slots, opening the next segment when needed. False: no segment or no RAM
    /// segment is free; the request waits, and is woken when there is one. Only <paramref name="urgent"/> work, which
    /// frees more than it takes, may have the reserve.
    /// </summary>
    public bool TryReserve(int wanted, LogPort port, out Reservation reservation, bool urgent = false)
    {
        reservation = default;
        if (!urgent && IsInReserve()) return false;
        while (!_cursor.TryReserve(wanted, _geometry, out reservation))
            if (!TryOpenNext(port, urgent)) return false;
        return true;
    }

    /// <summary>
    /// The same for what nobody waits for: takes slots only while writers have plenty. Never opens the last free
    /// segment, nor the RAM segments that a burst needs, forces no flush, and makes no one hurry.
    /// </summary>
    public bool TryReserveSpare(int wanted, LogPort port, out Reservation reservation)
    {
        reservation = default;
        while (HasSpare)
        {
            if (_cursor.TryReserve(wanted, _geometry, out reservation)) return true;
            if (!TryOpenSpare()) return false;
        }
        return false;
    }

    // A quarter of the cache stays for what must be written back.
    private bool HasSpare =>
        !IsStarved && !IsReserveOpen && (HeadSegment - DirtySegment + 1) * 4 <= _geometry.SegmentCount * 3L;

    /// <summary>Header slot of the record that <paramref name="slot"/> belongs to.</summary>
    public int RecordOf(in Reservation reservation, int slot) =>
        SegmentCursor.RecordOf(reservation.RecordStart, slot, Geometry.BoundarySlots);

    /// <summary>RAM segment of a segment in which the caller has slots to fill.</summary>
    public int RamOf(long segment)
    {
        int ram = Table.RamOf(Geometry.Physical(segment));
        Invariant.Check(ram >= 0);
        Invariant.Check(Ram.SequenceOf(ram) == segment);
        return ram;
    }

    /// <summary>
    /// <paramref name="count"/> more slots of the record at <paramref name="start"/> are published and indexed.
    /// </summary>
    public void CountFilled(LogPort port, int ram, int start, int count)
    {
        Interleaving.Step();
        if (Interlocked.Add(ref *CounterAt(ram, start), count) == Ready) Seal(port);
    }

    /// <summary>
    /// The record <paramref name="start"/>..<paramref name="end"/> gets no more slots. Once per record, by its closer.
    /// </summary>
    public void CloseRecord(LogPort port, int ram, int start, int end)
    {
        Invariant.Check(end > start);
        Invariant.Check(end - start <= Geometry.MaxRecordSlots);
        _recordEnds[(ram * Geometry.SlotsPerSegment) + start] = (ushort)end;
        CountFilled(port, ram, start, Ready - (end - start - 1));
    }

    /// <summary>
    /// Closes the open record, so that everything reserved so far can become durable. Returns that position.
    /// </summary>
    public long CloseOpenRecord(LogPort port) => Close(port, wholeSegment: !Layout.HasManyRecords);

    /// <summary>
    /// Gives up the rest of the open segment, so that write-back can have it. Returns a position such that everything
    /// reserved so far lies before it.
    /// </summary>
    public long CloseOpenSegment(LogPort port)
    {
        long end = Close(port, wholeSegment: true);
        return _geometry.SlotOf(end) == 0 ? end : Geometry.Position(_geometry.SegmentOf(end) + 1, 0);
    }

    private long Close(LogPort port, bool wholeSegment, bool last = false)
    {
        CloseResult result =
            _cursor.Close(wholeSegment, _geometry, out long segment, out int start, out int end, last);
        if (result == CloseResult.Closed) Interlocked.Increment(ref _partialRecords);
        if (result == CloseResult.Empty) return Geometry.Position(segment, end);
        if (result == CloseResult.Full) return Geometry.Position(segment, Geometry.SlotsPerSegment);
        Interleaving.Step();
        int ram = Table.RamOf(Geometry.Physical(segment));
        // A full fence before Seal looks at its latch: its holder then sees the end when it looks again.
        if (wholeSegment && ram >= 0) Interlocked.Exchange(ref _segmentEnds[ram], end);
        if (result == CloseResult.Closed) CloseRecord(port, ram, start, end);
        else Seal(port);
        return Geometry.Position(segment, end);
    }

    private long _partialRecords;

    /// <summary>Records that were closed before they were full (dm-writeboost's nr_partial_flushed).</summary>
    public long PartialRecords => Volatile.Read(ref _partialRecords);

    private int* CounterAt(int ram, int slot) => &_counters[(ram * Geometry.SlotsPerSegment) + slot];
}

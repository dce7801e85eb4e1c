using System;
using System.Runtime.InteropServices;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Log;

/// <summary>Slots that one atomic add has given to one writer.</summary>
public readonly struct Reservation(long segment, int first, int count, int recordStart)
{
    /// <summary>Segment sequence.</summary>
    public readonly long Segment = segment;
    /// <summary>First slot; may lie at or beyond the segment's end, then nothing was had.</summary>
    public readonly int First = first;
    /// <summary>Slots, the boundary slot among them included.</summary>
    public readonly int Count = count;
    /// <summary>Header slot of the record that was open when the slots were taken.</summary>
    public readonly int RecordStart = recordStart;
}

/// <summary>What closing the open record came to.</summary>
public enum CloseResult
{
    /// <summary>The open record holds nothing, and stays open.</summary>
    Empty,
    /// <summary>The open record holds nothing; the rest of the segment is given up.</summary>
    GivenUp,
    /// <summary>The caller has closed the record and must say so to the log.</summary>
    Closed,
    /// <summary>The segment is full: whoever drew its end has closed it.</summary>
    Full,
}

/// <summary>
/// Where the log is: one 64-bit word, so that a writer takes its place in the order (R2) with one atomic add.
/// <code>
///  63            24 23        12 11         0
///  | segment seq   | record     | next slot  |
/// </code>
/// Protocol. Slots 0, B, 2B ... of a segment (B = 256, or the segment if smaller) are header slots; a flush makes
/// another one by compare-exchange.
/// <list type="bullet">
/// <item>A writer loads the word; is next beyond the end, the segment is full and it goes to open the next one. Else
/// it adds n: its slots are the old next and those after it. Slots beyond the end are lost to it.</item>
/// <item>A writer whose slots include a header slot (a multiple of B, or the slot just behind the segment) closes the
/// record before that slot. Exactly one writer draws each, so exactly one closes.</item>
/// <item>A flush replaces (s, h, k) by (s, k, k+1): it owns slot k, the next record's header, and closes [h, k).</item>
/// <item>The opener of the next segment stores (s+1, 0, 1). One at a time, by a latch; only when the word is full.
/// Late adds to the full word are lost with it, which is what they came to anyway.</item>
/// </list>
/// The word's record field lags behind when a header slot was drawn by a writer: the true start is the larger of the
/// field and the last multiple of B. At most 64 threads add at most 32 slots once each beyond the end of 1024: 12 bits.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = 192)]
public struct SegmentCursor
{
    /// <summary>Most slots one add may take.</summary>
    public const int MaxTake = 32;
    private const int FieldBits = 12;
    private const long FieldMask = (1 << FieldBits) - 1;

    // Alone in its cache line. Written by writers (add), flushers (compare-exchange) and the opener (exchange).
    [FieldOffset(64)] private long _word;

    /// <summary>Segment sequence of a word.</summary>
    public static long SegmentOf(long word) => word >> (2 * FieldBits);

    /// <summary>Next slot of a word; beyond the segment's end when it is full.</summary>
    public static int NextOf(long word) => (int)(word & FieldMask);

    /// <summary>The word now.</summary>
    public readonly long Load() => Volatile.Read(in _word);

    /// <summary>
    /// Header slot of the record that slot <paramref name="slot"/> belongs to, for a word's record field.
    /// </summary>
    public static int RecordOf(int recordField, int slot, int boundarySlots)
    {
        int boundary = slot & ~(boundarySlots - 1);
        return recordField > boundary ? recordField : boundary;
    }

    /// <summary>Takes up to <paramref name="wanted"/> slots; false when the segment is full.</summary>
    public bool TryReserve(int wanted, in Geometry geometry, out Reservation reservation)
    {
        Invariant.Check(wanted > 0);
        Invariant.Check(wanted <= MaxTake);
        reservation = default;
        if (NextOf(Load()) > geometry.SlotsPerSegment) return false;
        Interleaving.Step();
        long word = Interlocked.Add(ref _word, wanted) - wanted;
        int first = NextOf(word);
        if (first > geometry.SlotsPerSegment) return false;
        reservation = new Reservation(SegmentOf(word), first, wanted, RecordFieldOf(word));
        return true;
    }

    /// <summary>
    /// Closes the open record: <paramref name="start"/>..<paramref name="end"/> of segment <paramref name="segment"/>.
    /// With <paramref name="wholeSegment"/> the rest of the segment is given up too; but a segment that holds nothing
    /// at all only if it is the <paramref name="last"/>: without a header it would end the log for a scan, before those
    /// that follow. In every case all slots reserved before the call lie below (segment, end).
    /// </summary>
    public CloseResult Close(
        bool wholeSegment, in Geometry geometry, out long segment, out int start, out int end, bool last = false)
    {
        int slots = geometry.SlotsPerSegment;
        while (true)
        {
            long word = Load();
            int next = NextOf(word);
            segment = SegmentOf(word);
            if (next > slots)
            {
                start = end = slots;
                return CloseResult.Full;
            }
            start = OpenRecordOf(word, geometry);
            bool empty = next == start + 1;
            end = empty ? start : next;
            if (empty && (!wholeSegment || (start == 0 && !last))) return CloseResult.Empty;
            long closed = wholeSegment || next == slots
                ? Pack(segment, start, slots + 1)
                : Pack(segment, next, next + 1);
            Interleaving.Step();
            if (Interlocked.CompareExchange(ref _word, closed, word) != word) continue;
            return empty ? CloseResult.GivenUp : CloseResult.Closed;
        }
    }

    /// <summary>Publishes a fresh segment: slot 0 is its first header.</summary>
    public void Open(long segment) => Interlocked.Exchange(ref _word, Pack(segment, 0, 1));

    /// <summary>Stands at the end of <paramref name="segment"/>: full.</summary>
    public void Park(long segment, in Geometry geometry) =>
        Interlocked.Exchange(ref _word, Pack(segment, 0, geometry.SlotsPerSegment + 1));

    /// <summary>
    /// Position below which every slot has been reserved; an open record without a slot does not count.
    /// </summary>
    public readonly long ReservedEnd(in Geometry geometry)
    {
        long word = Load();
        int next = NextOf(word);
        int start = OpenRecordOf(word, geometry);
        return geometry.Position(SegmentOf(word), next == start + 1 ? start : Math.Min(next, geometry.SlotsPerSegment));
    }

    /// <summary>
    /// The segment that is being filled, in the kernel's words the current one, and how many of its slots are taken.
    /// One whose last slot is taken is still it; one that has been closed is not: the next one is, whether or not it is
    /// open yet.
    /// </summary>
    public readonly long Current(in Geometry geometry, out int taken)
    {
        long word = Load();
        int next = NextOf(word);
        bool isClosed = next > geometry.SlotsPerSegment;
        int start = OpenRecordOf(word, geometry);
        taken = isClosed ? 0 : next == start + 1 ? start : next;
        return SegmentOf(word) + (isClosed ? 1 : 0);
    }

    /// <summary>Position of the open record's header; the segment's end when it is full.</summary>
    public readonly long OpenRecord(in Geometry geometry)
    {
        long word = Load();
        return geometry.Position(SegmentOf(word), OpenRecordOf(word, geometry));
    }

    private static int OpenRecordOf(long word, in Geometry geometry)
    {
        int next = NextOf(word);
        return next > geometry.SlotsPerSegment
            ? geometry.SlotsPerSegment
            : RecordOf(RecordFieldOf(word), next - 1, geometry.BoundarySlots);
    }

    private static int RecordFieldOf(long word) => (int)((word >> FieldBits) & FieldMask);

    private static long Pack(long segment, int record, int next) =>
        (segment << (2 * FieldBits)) | ((long)record << FieldBits) | (long)next;
}

using System;
using System.Runtime.InteropServices;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Writeboost.Format;
using GrowingSlab = Weir.Native.GrowingSlab;

namespace Weir.Core.Writeboost.Log;

/// <summary>
/// What each physical segment holds now. Fields and writers: Sequence, Ram (set) by the opener of a segment; Ram
/// (cleared) by whoever releases RAM segments; Pins by readers, under the index bucket's latch when rising; LastRecord
/// by whoever seals, or by recovery; Ranges by the writers of range entries.
/// </summary>
public sealed unsafe class SegmentTable : IDisposable
{
    /// <summary>Bytes of table per segment.</summary>
    public const int BytesPerSegment = 32;

    private readonly GrowingSlab _memory;
    private readonly State* _states;
    private readonly Geometry _geometry;

    /// <summary>A table with no segment in use.</summary>
    public SegmentTable(in Geometry geometry)
    {
        _geometry = geometry;
        long most = Geometry.MaxCacheBytes / geometry.SegmentBytes;
        _memory = new GrowingSlab((long)geometry.SegmentCount * sizeof(State), most * sizeof(State));
        _states = (State*)_memory.Start;
        Clear(0, geometry.SegmentCount);
    }

    /// <summary>
    /// Makes room for <paramref name="segmentCount"/> segments, the new ones not in use; before the geometry knows of
    /// them. False: there is no memory.
    /// </summary>
    public bool TryGrow(int segmentCount)
    {
        if (!_memory.TryGrow((long)segmentCount * sizeof(State))) return false;
        Clear(_geometry.SegmentCount, segmentCount);
        return true;
    }

    /// <summary>Sequence in physical segment <paramref name="physical"/>; 0 = none yet.</summary>
    public long SequenceOf(int physical) => Volatile.Read(ref At(physical)->Sequence);

    /// <summary>RAM segment that holds physical segment <paramref name="physical"/>, or -1.</summary>
    public int RamOf(int physical) => Volatile.Read(ref At(physical)->Ram);

    /// <summary>Position of a physical slot in the endless log, as long as its segment is in use.</summary>
    public long PositionOf(uint physicalSlot)
    {
        int physical = (int)(physicalSlot >> _geometry.SlotShift);
        return _geometry.Position(SequenceOf(physical), (int)physicalSlot & (_geometry.SlotsPerSegment - 1));
    }

    /// <summary>
    /// Physical segment <paramref name="physical"/> now holds <paramref name="segment"/>, in RAM or not (-1).
    /// </summary>
    public void Assign(int physical, long segment, int ram)
    {
        Volatile.Write(ref At(physical)->LastRecord, 0);
        Volatile.Write(ref At(physical)->Ranges, 0);
        Volatile.Write(ref At(physical)->Ram, ram);
        Volatile.Write(ref At(physical)->Sequence, segment);
    }

    /// <summary>Sequence of the last record in the segment: write-back finds it there or the log is damaged.</summary>
    public long LastRecordOf(int physical) => Volatile.Read(ref At(physical)->LastRecord);

    /// <summary>Notes the newest record in the segment.</summary>
    public void SetLastRecord(int physical, long sequence) => Volatile.Write(ref At(physical)->LastRecord, sequence);

    /// <summary>Range entries in the segment.</summary>
    public int RangesIn(int physical) => Volatile.Read(ref At(physical)->Ranges);

    /// <summary>One more range entry in the segment.</summary>
    public void CountRange(int physical) => Interlocked.Increment(ref At(physical)->Ranges);

    /// <summary>The segment is on the cache device only from now on.</summary>
    public void LeaveRam(int physical) => Interlocked.Exchange(ref At(physical)->Ram, -1);

    /// <summary>A reader of the device copy comes; the segment is not reused until it goes (R8).</summary>
    public void Pin(int physical) => Interlocked.Increment(ref At(physical)->Pins);

    /// <summary>The readers of <paramref name="count"/> blocks have gone.</summary>
    public void Unpin(int physical, int count)
    {
        int left = Interlocked.Add(ref At(physical)->Pins, -count);
        Invariant.Check(left >= 0);
    }

    /// <summary>Somebody reads the device copy.</summary>
    public bool IsPinned(int physical) => Volatile.Read(ref At(physical)->Pins) != 0;

    /// <inheritdoc/>
    public void Dispose() => _memory.Dispose();

    private void Clear(int first, int end)
    {
        for (int i = first; i < end; i++) _states[i] = new State { Ram = -1 };
    }

    private State* At(int physical)
    {
        Invariant.Check((uint)physical < (uint)_geometry.SegmentCount);
        return &_states[physical];
    }

    [StructLayout(LayoutKind.Sequential, Size = BytesPerSegment)]
    private struct State
    {
        public long Sequence;
        public long LastRecord;
        public int Ram;
        public int Pins;
        public int Ranges;
        private int _zero28;
    }
}

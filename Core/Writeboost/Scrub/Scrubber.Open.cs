using System;
using System.Threading;
using Weir.Core.Io;
using Weir.Core.Writeboost.Errors;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Scrub;

/// <content>
/// The open segment, which may stay so for ever when nothing more is written: its durable records, which are never
/// written again. RAM has them too, and readers take them from there, but write-back reads the device: what that holds
/// is compared with RAM, and what is rotten is written again from there, not given up.
/// </content>
internal sealed unsafe partial class Scrubber
{
    private readonly UnreadPlaces _rotten;
    private bool _isOpen;
    private int _mendError;
    private int _slots; // of the segment, that are looked at

    // Slots of the open segment up to the end of its last durable record.
    private int DurableSlotsOf(long open)
    {
        long end = _log.DurableRecord;
        return _log.Layout.HasManyRecords && _log.Geometry.SegmentOf(end) == open ? _log.Geometry.SlotOf(end) : 0;
    }

    // Of what was read, which are the first slots.
    private void CompareWithRam(int read)
    {
        _rotten.Clear();
        int physical = _log.Geometry.Physical(_segment), ram = _log.Table.RamOf(physical);
        // It has been closed meanwhile, and comes as any other when its turn is again.
        if (ram < 0) return;
        int blocks = 0;
        for (int slot = 0; slot < read;)
        {
            byte* header = _log.Ram.Data(ram, slot);
            long position = _log.Geometry.Position(_segment, slot);
            bool valid =
                _log.Layout.TryReadHeader(header, _superblock.Now, _log.Geometry, position, out RecordInfo info)
                && slot + 1 + info.EntryCount <= read;
            if (!valid)
            {
                slot = (slot | (_log.Geometry.BoundarySlots - 1)) + 1;
                continue;
            }
            blocks += CompareRecord(ram, slot, info);
            slot += 1 + info.EntryCount;
        }
        // Only while the segment is in RAM is RAM the truth of it.
        Interlocked.MemoryBarrier();
        if (_log.Table.RamOf(physical) != ram) _rotten.Clear();
        else Count(blocks);
    }

    private void Count(int blocks)
    {
        _figures.Segments++;
        _figures.Blocks += blocks;
        if (_rotten.Count == 0) return;
        for (int slot = 0; slot < _slots; slot++)
            if (_rotten.Has(slot) && !_unread.Has(slot)) _figures.Errors++;
    }

    private int CompareRecord(int ram, int header, in RecordInfo info)
    {
        int blocks = 0;
        Compare(header, _log.Ram.Data(ram, header));
        _log.Layout.ReadEntries(_log.Ram.Data(ram, header), info, _entries);
        for (int i = 0; i < info.EntryCount; i++)
        {
            if (_entries[i].Kind is not (EntryKind.Data or EntryKind.Clean)) continue;
            int slot = header + 1 + i;
            byte* data = _log.Ram.Data(ram, slot);
            if (_index.IsLinked(_log.Geometry.PhysicalSlot(_log.Geometry.Position(_segment, slot)))) blocks++;
            // RAM can rot too.
            if (BlockSum.Compute(data) == _entries[i].Value) Compare(slot, data);
        }
        return blocks;
    }

    private void Compare(int slot, byte* ram)
    {
        Span<byte> truth = new(ram, Geometry.BlockBytes);
        Span<byte> found = new(_data + ((long)slot << Geometry.BlockShift), Geometry.BlockBytes);
        if (!_unread.Has(slot) && found.SequenceEqual(truth)) return;
        truth.CopyTo(found);
        _rotten.Add(slot);
    }

    // The next rotten one behind `slot`, from our copy of RAM; behind the last a flush, as for all that is written.
    private void Mend(IoOp* op, int slot)
    {
        if (slot == WholeSegment) _mendError = 0;
        else if (op->Result < 0) _mendError = op->Result;
        do slot++;
        while (slot < _slots && !_rotten.Has(slot));
        if (slot < _slots)
        {
            op->Kind = IoKind.Write;
            Submit(op, slot);
            return;
        }
        if (_rotten.Count > 0) _rot.ReportMended(_rotten.Count, _segment, _mendError);
        if (_rotten.Count > 0 && !_log.Health.CacheHasFailed) _log.RequestFlush(_port);
        End(op);
    }
}

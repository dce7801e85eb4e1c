using System;
using System.Runtime.InteropServices;
using Weir.Core.Cleaning;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Errors;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Settings;

namespace Weir.Core.Writeboost.Scrub;

/// <summary>
/// Reads the log's segments again, one at a time, as slowly as <see cref="ScrubPacer"/> says; compares the blocks that
/// still count with their checksums, and reports rot before anybody needs them (R5). On the first queue's thread.
/// </summary>
internal sealed unsafe partial class Scrubber : IIoHandler, IBackgroundTask, IDisposable
{
    /// <summary>Of a device that gives nothing any more not every block is asked for: a stop waits for it.</summary>
    private const int MostUnread = 32;

    // In place of a slot.
    private const int WholeSegment = -1;

    private struct ScrubOp
    {
        // Of the segment, or WholeSegment.
        public int Slot;
    }

    private readonly SegmentLog _log;
    private readonly SuperblockState _superblock;
    private readonly BlockIndex _index;
    private readonly RotReports _rot;
    private readonly ScrubFigures _figures;
    private readonly ActivityMark _activity;
    private readonly WriteboostOptions _options;
    private readonly LogPort _port;
    private readonly IoContext _io;
    private readonly DeviceQueue _cache;
    private readonly ushort _handler;
    private readonly byte* _data;
    private readonly LogEntry* _entries;
    private readonly UnreadPlaces _unread;
    private readonly ScrubPacer _pacer = new();
    private long _segment;
    private bool _reading;

    /// <summary>The volume's one scrubber, on the thread of <paramref name="port"/>.</summary>
    public Scrubber(
        SegmentLog log, SuperblockState superblock, BlockIndex index, RotReports rot, ScrubFigures figures,
        ActivityMark activity, WriteboostOptions options, LogPort port, DeviceQueue cache)
    {
        (_log, _superblock, _index, _rot, _figures) = (log, superblock, index, rot, figures);
        (_activity, _options) = (activity, options);
        _port = port;
        _io = port.Io;
        _cache = cache;
        _handler = _io.AddHandler(this);
        _unread = new UnreadPlaces(log.Geometry.SlotsPerSegment);
        _rotten = new UnreadPlaces(log.Geometry.SlotsPerSegment);
        _data = (byte*)NativeMemory.AlignedAlloc((nuint)log.Geometry.SegmentBytes, Geometry.BlockBytes);
        _entries = (LogEntry*)NativeMemory.Alloc(Geometry.MaxRecordSlots, (nuint)sizeof(LogEntry));
    }

    /// <summary>Nothing is under way.</summary>
    public bool IsQuiet => !_reading;

    /// <summary>When <see cref="Poll"/> has something to do at the latest.</summary>
    public long DeadlineUs => _pacer.DeadlineUs;

    /// <inheritdoc/>
    public void Poll(long nowUs, BackgroundState state)
    {
        long segments = _log.HeadSegment - _log.TailSegment + 1;
        long idleUs = _activity.LastUs + _options.IdleUs;
        if (_pacer.IsDue(nowUs, _options.ScrubIntervalUs, segments, idleUs, _reading)) Begin();
    }

    /// <inheritdoc/>
    public void Completed(IoOp* op)
    {
        int slot = op->Own<ScrubOp>().Slot;
        if (op->Kind == IoKind.Write)
        {
            Mend(op, slot);
            return;
        }
        if (op->Result < 0) Miss(slot);
        bool isSingly = slot != WholeSegment || op->Result < 0;
        bool isLast = slot + 1 == _slots || _unread.Count == MostUnread;
        if (isSingly && !isLast)
        {
            Submit(op, slot + 1);
            return;
        }
        // Of a device that gives nothing at all no place is bad.
        bool givesNothing = _unread.Count > 0 && _unread.Count == slot + 1;
        if (_isOpen && givesNothing) End(op);
        else if (_isOpen) CompareAndMend(op, isSingly ? slot + 1 : _slots);
        else
        {
            int read = isSingly ? slot + 1 : _slots;
            if (_unread.Count > 0 && !givesNothing) NameUnread(read);
            Check(read);
            End(op);
        }
    }

    private void CompareAndMend(IoOp* op, int read)
    {
        CompareWithRam(read);
        Mend(op, WholeSegment);
    }

    private void End(IoOp* op)
    {
        _io.Release(op);
        _reading = false;
        _log.Table.Unpin(_log.Geometry.Physical(_segment), 1);
        _segment++;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.AlignedFree(_data);
        NativeMemory.Free(_entries);
    }

    // Segments are opened, freed and reused on any thread, but freed on this one: what is pinned here stays.
    private void Begin()
    {
        if (_segment < _log.TailSegment) _segment = _log.TailSegment;
        long open = _log.Geometry.SegmentOf(_log.Durable);
        int durableSlots = DurableSlotsOf(open);
        long end = durableSlots > 0 ? open + 1 : open;
        if (_segment >= end)
        {
            if (end > _log.TailSegment) _figures.Passes++;
            _segment = _log.TailSegment;
        }
        int physical = _log.Geometry.Physical(_segment);
        if (_segment >= end || _log.Table.SequenceOf(physical) != _segment) return;
        _isOpen = _segment == open;
        if (_log.Table.RamOf(physical) >= 0 != _isOpen) return;
        IoOp* op = _io.Acquire(_handler, IoKind.Read);
        if (op == null) return;
        _log.Table.Pin(physical);
        _reading = true;
        _unread.Clear();
        _rotten.Clear();
        _slots = _isOpen ? durableSlots : _log.Geometry.SlotsPerSegment;
        Submit(op, WholeSegment);
    }

    // One bad place of a segment hides none of the others: they are read singly then.
    private void Submit(IoOp* op, int slot)
    {
        int first = Math.Max(slot, 0);
        op->Own<ScrubOp>().Slot = slot;
        op->OffsetBytes = _log.Geometry.OffsetOf(_log.Geometry.Position(_segment, first));
        op->LengthBytes = slot == WholeSegment ? (long)_slots << Geometry.BlockShift : Geometry.BlockBytes;
        op->Buffer = _data + ((long)first << Geometry.BlockShift);
        _cache.Submit(op);
    }

    private void Miss(int slot)
    {
        if (slot == WholeSegment)
        {
            // Nothing of the segment before is to be taken for what this one holds.
            new Span<byte>(_data, _log.Geometry.SegmentBytes).Clear();
            return;
        }
        _unread.Add(slot);
        _figures.Errors++;
    }

    private void NameUnread(int read)
    {
        for (int slot = 0; slot < read; slot++)
        {
            uint physical = _log.Geometry.PhysicalSlot(_log.Geometry.Position(_segment, slot));
            if (_unread.Has(slot) && _index.IsLinked(physical)) _rot.Report(physical, isUnread: true);
        }
    }

    // Of the first slots, which are all that was read.
    private void Check(int read)
    {
        _figures.Segments++;
        long last = _log.Table.LastRecordOf(_log.Geometry.Physical(_segment));
        long sequence = 0;
        for (int slot = 0; slot < read && sequence < last;)
        {
            byte* header = _data + ((long)slot << Geometry.BlockShift);
            long position = _log.Geometry.Position(_segment, slot);
            bool valid =
                _log.Layout.TryReadHeader(header, _superblock.Now, _log.Geometry, position, out RecordInfo info)
                && info.Sequence <= last && (sequence == 0 || info.Sequence == sequence + 1);
            if (!valid)
            {
                slot = (slot | (_log.Geometry.BoundarySlots - 1)) + 1;
                continue;
            }
            CheckRecord(header, info, read);
            sequence = info.Sequence;
            slot += 1 + info.EntryCount;
        }
        if (last == 0 || sequence == last || _unread.Count > 0) return;
        _figures.Errors++;
        _rot.ReportHeader(_segment);
    }

    private void CheckRecord(byte* header, in RecordInfo info, int read)
    {
        bool perBlock = _log.Layout.HasBlockChecksums || _index.KeepsChecksums;
        if (!perBlock && _unread.Count > 0) return;
        bool whole = perBlock || _log.Layout.IsWhole(header, info);
        _log.Layout.ReadEntries(header, info, _entries);
        for (int i = 0; i < info.EntryCount; i++)
        {
            int place = _log.Geometry.SlotOf(info.Position + 1 + i);
            if (place >= read) return;
            uint slot = _log.Geometry.PhysicalSlot(info.Position + 1 + i);
            bool counts = _entries[i].Kind is EntryKind.Data or EntryKind.Clean && _index.IsLinked(slot);
            if (!counts || _unread.Has(place)) continue;
            _figures.Blocks++;
            byte* data = header + ((i + 1L) << Geometry.BlockShift);
            bool intact = _index.KeepsChecksums ? _index.IsIntact(slot, data)
                : perBlock ? BlockSum.Compute(data) == _entries[i].Value : whole;
            if (intact) _index.MarkRead(slot);
            else Report(slot);
        }
    }

    private void Report(uint slot)
    {
        _figures.Errors++;
        _rot.Report(slot);
    }
}

/// <summary>What the scrubber has done in this life. Written by its thread, read by any.</summary>
internal sealed class ScrubFigures
{
    /// <summary>Times that every segment was looked at.</summary>
    public long Passes;

    /// <summary>Segments read.</summary>
    public long Segments;

    /// <summary>Blocks compared with their checksums.</summary>
    public long Blocks;

    /// <summary>Blocks and headers that were rotten, or could not be read.</summary>
    public long Errors;
}

using System;
using System.Runtime.InteropServices;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Scrub;

/// <summary>
/// Reads the log's segments again, one at a time, so slowly that all of them take the scrub interval, and while clients
/// are idle if they ever are; compares the blocks that still count with their checksums, and reports rot before anybody
/// needs them (R5). On the first queue's thread.
/// </summary>
public sealed unsafe class Scrubber : IIoHandler, IDisposable
{
    /// <summary>A segment waits at most this many of its turns for idle clients.</summary>
    private const int MaxPatience = 4;

    private readonly WriteboostVolume _volume;
    private readonly SegmentLog _log;
    private readonly IoContext _io;
    private readonly DeviceQueue _cache;
    private readonly byte _handler;
    private readonly byte* _data;
    private readonly LogEntry* _entries;
    private long _segment;
    private long _dueUs = long.MaxValue;
    private bool _reading;

    /// <summary>The volume's one scrubber, on the thread of <paramref name="port"/>.</summary>
    public Scrubber(WriteboostVolume volume, LogPort port, DeviceQueue cache)
    {
        _volume = volume;
        _log = volume.Log;
        _io = port.Io;
        _cache = cache;
        _handler = _io.AddHandler(this);
        _data = (byte*)NativeMemory.AlignedAlloc((nuint)volume.Geometry.SegmentBytes, Geometry.BlockBytes);
        _entries = (LogEntry*)NativeMemory.Alloc(Geometry.MaxRecordSlots, (nuint)sizeof(LogEntry));
    }

    /// <summary>Nothing is under way.</summary>
    public bool IsQuiet => !_reading;

    /// <summary>When <see cref="Poll"/> has something to do at the latest.</summary>
    public long DeadlineUs { get; private set; } = long.MaxValue;

    /// <summary>Once per turn.</summary>
    public void Poll(long nowUs)
    {
        DeadlineUs = long.MaxValue;
        long intervalUs = _volume.Options.ScrubIntervalUs;
        if (_reading || intervalUs == 0)
        {
            if (intervalUs == 0) _dueUs = long.MaxValue;
            return;
        }
        long turnUs = intervalUs / Math.Max(1, _log.HeadSegment - _log.TailSegment + 1);
        _dueUs = Math.Min(_dueUs, nowUs + turnUs);
        long idleUs = _volume.LastActivityUs + _volume.Options.IdleUs;
        long startUs = Math.Max(_dueUs, Math.Min(idleUs, _dueUs + (MaxPatience * turnUs)));
        DeadlineUs = startUs;
        if (nowUs < startUs) return;
        _dueUs = nowUs + turnUs;
        DeadlineUs = _dueUs;
        Begin();
    }

    /// <inheritdoc/>
    public void Completed(IoOp* op)
    {
        int result = op->Result;
        _io.Release(op);
        _reading = false;
        if (result < 0) _volume.Scrub.Errors++;
        else Check();
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
        long end = _log.Geometry.SegmentOf(_log.Durable);
        if (_segment >= end)
        {
            if (end > _log.TailSegment) _volume.Scrub.Passes++;
            _segment = _log.TailSegment;
        }
        int physical = _log.Geometry.Physical(_segment);
        if (_segment >= end || _log.Table.SequenceOf(physical) != _segment || _log.Table.RamOf(physical) >= 0) return;
        IoOp* op = _io.Acquire(_handler, IoKind.Read);
        if (op == null) return;
        _log.Table.Pin(physical);
        _reading = true;
        op->OffsetBytes = _log.Geometry.OffsetOf(_log.Geometry.Position(_segment, 0));
        op->LengthBytes = _log.Geometry.SegmentBytes;
        op->Buffer = _data;
        _cache.Submit(op);
    }

    private void Check()
    {
        _volume.Scrub.Segments++;
        long last = _log.Table.LastRecordOf(_log.Geometry.Physical(_segment));
        long sequence = 0;
        for (int slot = 0; slot < _log.Geometry.SlotsPerSegment && sequence < last;)
        {
            byte* header = _data + ((long)slot << Geometry.BlockShift);
            long position = _log.Geometry.Position(_segment, slot);
            bool valid =
                _log.Layout.TryReadHeader(header, _volume.Superblock, _log.Geometry, position, out RecordInfo info)
                && info.Sequence <= last && (sequence == 0 || info.Sequence == sequence + 1);
            if (!valid)
            {
                slot = (slot | (_log.Geometry.BoundarySlots - 1)) + 1;
                continue;
            }
            CheckRecord(header, info);
            sequence = info.Sequence;
            slot += 1 + info.EntryCount;
        }
        if (last != 0 && sequence != last) _volume.ReportRottenHeader(_segment);
    }

    private void CheckRecord(byte* header, in RecordInfo info)
    {
        bool perBlock = _log.Layout.HasBlockChecksums || _volume.Index.KeepsChecksums;
        bool whole = perBlock || _log.Layout.IsWhole(header, info);
        _log.Layout.ReadEntries(header, info, _entries);
        for (int i = 0; i < info.EntryCount; i++)
        {
            uint slot = _log.Geometry.PhysicalSlot(info.Position + 1 + i);
            bool counts = _entries[i].Kind is EntryKind.Data or EntryKind.Clean && _volume.Index.IsLinked(slot);
            if (!counts) continue;
            _volume.Scrub.Blocks++;
            byte* data = header + ((i + 1L) << Geometry.BlockShift);
            bool intact = _volume.Index.KeepsChecksums ? _volume.Index.IsIntact(slot, data)
                : perBlock ? BlockSum.Compute(data) == _entries[i].Value : whole;
            if (!intact) _volume.ReportRot(slot);
        }
    }
}

/// <summary>What the scrubber has done in this life. Written by its thread, read by any.</summary>
public sealed class ScrubFigures
{
    /// <summary>Times that every segment was looked at.</summary>
    public long Passes;

    /// <summary>Segments read.</summary>
    public long Segments;

    /// <summary>Blocks compared with their checksums.</summary>
    public long Blocks;

    /// <summary>Segments that could not be read.</summary>
    public long Errors;
}

using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Errors;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Recovery;

namespace Weir.Core.Writeboost.Tools;

/// <content>
/// What the kernel's layouts need: damage is a segment's there, and ends the log that goes on behind it.
/// </content>
public sealed partial class Checker
{
    private readonly SortedSet<long> _rottenSegments = [];

    // Only where something is wrong: it reads the whole log once more.
    private void LookAtSegments(ILogScan scan)
    {
        if (_cache.Layout is not SegmentLayout || (_problems == 0 && _rottenSegments.Count == 0)) return;
        SegmentSurvey survey = new(_cache);
        List<DamagedSegment> damaged = survey.Run();
        foreach (DamagedSegment segment in damaged) _rottenSegments.Remove(segment.Id);
        foreach (long id in _rottenSegments) damaged.Add(new DamagedSegment(id, HasHeader: true));
        damaged.Sort(static (a, b) => a.Id.CompareTo(b.Id));
        if (damaged.Count == 0) return;
        ReplayBehind(survey, scan.EndSegment + 1);
        foreach (DamagedSegment segment in damaged) NameLost(survey, segment);
    }

    // What counts once it is decided what becomes of the damaged ones.
    private void ReplayBehind(SegmentSurvey survey, long first)
    {
        Span<LogEntry> entries = stackalloc LogEntry[RecordHeader.MaxEntries];
        for (long id = Math.Max(first, survey.FirstId); id <= survey.LastId; id++)
        {
            int physical = _cache.Geometry.Physical(id);
            if (!survey.Holds(id)) continue;
            _cache.ReadSegment(physical);
            if (!survey.TryReadHeader(physical, out RecordInfo info, out _)) continue;
            _replay.Apply(_cache.Geometry.Position(id, 0), id, _cache.ReadEntries(0, info, entries));
        }
    }

    private void NameLost(SegmentSurvey survey, DamagedSegment segment)
    {
        Span<LogEntry> entries = stackalloc LogEntry[RecordHeader.MaxEntries];
        int physical = _cache.Geometry.Physical(segment.Id);
        _cache.ReadSegment(physical);
        if (!segment.HasHeader || !survey.TryReadHeader(physical, out RecordInfo info, out bool isSpoilt))
        {
            Problem($"segment {segment.Id} is damaged, and its header is gone: nothing tells which blocks it held");
            return;
        }
        List<LostVersion> lost = [];
        HashSet<ulong> blocks = [];
        entries = _cache.ReadEntries(0, info, entries);
        bool hidesSeal = false;
        for (int i = 0; i < entries.Length && _cache.Layout.WritesHeaderLast; i++) hidesSeal |= _cache.IsUnread(1 + i);
        for (int i = 0; i < entries.Length; i++)
        {
            uint slot = _cache.Geometry.PhysicalSlot(_cache.Geometry.Position(segment.Id, 1 + i));
            if (entries[i].Kind != EntryKind.Data || !_index.IsLinked(slot)) continue;
            // What cannot be read is named already, and is why the seal is not right.
            if (_cache.IsUnread(1 + i) || (hidesSeal && !isSpoilt)) continue;
            lost.Add(new LostVersion(entries[i].Key, entries[i].Sectors, 0));
            blocks.Add(entries[i].Key);
        }
        _lostBlocks += blocks.Count;
        if (isSpoilt) Problem($"segment {segment.Id}: {SegmentSurvey.Denied}");
        if (blocks.Count == 0 && hidesSeal) return;
        Problem($"the data of segment {segment.Id} is not what was written: a block of it is rotten, and nothing "
            + $"tells which: {DoubtfulBlocks.Describe(lost, NameOf)}");
    }

    private void LookIntoMemory(IRamStore store, ILogScan scan)
    {
        Superblock superblock = _cache.Superblock;
        if (_cache.Layout is SegmentLayout)
            TableReader.ReadSegmentSamples(_cache.Io, _cache.Queue, _cache.Device, ref superblock, out _).Dispose();
        string name = RamSegments.NameOf(superblock, _cache.Device.Identity);
        using RamSegments? ram = RamSegments.Find(store, name, superblock, Note);
        if (ram == null && RamSegments.IsMissed(store, name, superblock))
            Note("the last run acknowledged writes from memory, in this boot of the machine, and that memory is gone "
                + $"(looked in {store.Places}): writes that no flush followed may be lost");
        if (ram == null) return;
        bool isOthers = !ProveByMemory(ram, scan);
        if (isOthers)
            Note("somebody else has written to this cache since its last run: what memory still holds is not used");
        else if (SharedMemoryReplay.HasWork(ram, _cache.Geometry, scan.EndPosition))
            Note("the last run died and left acknowledged writes in memory: the next start writes them to the log");
    }

    // As a start does it. False: the memory is not of what the log has become.
    private bool ProveByMemory(RamSegments ram, ILogScan scan)
    {
        try
        {
            scan.CheckEnd(ram);
        }
        catch (UserErrorException rot)
        {
            Problem(rot.Message);
            return true;
        }
        return scan.IsLastLifes(ram);
    }
}

using Weir.Core.Io;
using Weir.Core.SsdCache.Queue;
using Weir.Core.SsdCache.Settings;
using Weir.Core.Volumes;

namespace Weir.Core.SsdCache.Volume;

/// <content>The figures.</content>
internal sealed unsafe partial class SsdCacheVolume
{
    /// <inheritdoc/>
    public void Report(IStatusWriter status)
    {
        status.Text("engine", Engine);
        status.Text("name", Options.VolumeName);
        Health.Report(status);
        if (Hang is { } hang) status.Text("not_answering", hang);
        status.Text("cache", _cache.Name);
        status.Text("backing", _backing.Name);
        status.Text("mode", SsdCacheTunables.NameOf(Mode.Named));
        if (WantedMode != Mode.Named) status.Text("mode_wanted", SsdCacheTunables.NameOf(WantedMode));
        status.Text("began", _began);
        status.Text("memory", _memory.Place);
        status.Gauge("size_bytes", SizeBytes);
        ReportBlocks(status);
        ReportRequests(status);
        ReportMoves(status);
    }

    /// <summary>Zeroes the request counters.</summary>
    public void ClearStatistics() => Counters.Clear();

    private void ReportBlocks(IStatusWriter status)
    {
        status.Gauge("block_size_bytes", Geometry.BlockBytes);
        status.Gauge("sets", Geometry.Sets);
        status.Number("ways", Format.SsdGeometry.Ways);
        status.Number("assoc", _assoc);
        status.Gauge("cache_blocks", Geometry.Slots);
        status.Gauge("cached_blocks", Table.UsedCount);
        status.Gauge("dirty_blocks", Table.DirtyCount);
        status.Gauge("dirty_bytes", Table.DirtyUnits * Format.SsdGeometry.UnitBytes);
        status.Gauge("directory_pages", Pages.Count);
        status.Gauge("open_pages", Pages.OpenCount);
        long all = Table.MemoryBytes + Pages.MemoryBytes + Admission.MemoryBytes;
        status.Gauge("directory_bytes", all);
        status.Gauge("ram_bytes_per_block", (all + Geometry.Slots - 1) / Geometry.Slots);
    }

    private void ReportRequests(IStatusWriter status)
    {
        Counters.ReportRequests(status);
        ReportResults(status);
        status.Counter("errors", Counters[QueueCounters.Errors]);
        status.Counter("hits_read_at_home", Counters[QueueCounters.ReadAtHome]);
        status.Counter("reads_lost", Counters[QueueCounters.LostReads]);
        status.Counter("requests_awaiting_locks", Counters[QueueCounters.LockWaits]);
        status.Counter("requests_awaiting_pages", Counters[QueueCounters.OpenWaits]);
    }

    private void ReportResults(IStatusWriter status)
    {
        status.Counter("read_clean", Count(LookupResult.ReadClean));
        status.Counter("read_busy", Count(LookupResult.ReadBusy));
        status.Counter("read_invalid", Count(LookupResult.ReadInvalid));
        status.Counter("read_miss", Count(LookupResult.ReadMiss));
        status.Counter("write_invalid", Count(LookupResult.WriteInvalid));
        status.Counter("write_miss", Count(LookupResult.WriteMiss));
        status.Counter("write_busy", Count(LookupResult.WriteBusy));
        status.Counter("write_cancel", Count(LookupResult.WriteCancel));
        status.Counter("write_skip", Count(LookupResult.WriteSkip));
        status.Counter("write_done", Count(LookupResult.WriteDone));
        status.Counter("bypassed", Count(LookupResult.Bypass));
    }

    private void ReportMoves(IStatusWriter status)
    {
        status.Counter("evictions", Counters[QueueCounters.Evictions]);
        status.Counter("fills", Counters[QueueCounters.Fills]);
        status.Counter("not_filled_failed", Counters[QueueCounters.FillsFailed]);
        status.Counter("not_filled_crowded", Counters[QueueCounters.FillsCrowded]);
        status.Counter("not_filled_closed", Counters[QueueCounters.FillsClosed]);
        status.Counter("not_filled_no_way", Counters[QueueCounters.FillsWithoutWay]);
        status.Counter("not_filled_not_admitted", Counters[QueueCounters.NotAdmitted]);
        status.Counter("blocks_written_back", Writebacks.Blocks);
        status.Counter("writebacks_cancelled", Writebacks.Cancelled);
        status.Counter("writeback_bytes", Writebacks.Bytes);
        status.Counter("writeback_writes", Writebacks.Writes);
        status.Counter("commits", Commits.Rounds);
        status.Counter("directory_bytes_written", Commits.Bytes);
    }
}

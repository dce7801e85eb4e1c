using System.Collections.Generic;
using System.Globalization;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Queue;

namespace Weir.Core.Writeboost;

/// <content>The figures.</content>
public sealed unsafe partial class WriteboostVolume
{
    private static readonly (RequestKind Kind, string Name)[] s_kinds =
    [
        (RequestKind.Read, "read"), (RequestKind.Write, "write"), (RequestKind.Flush, "flush"),
        (RequestKind.Discard, "discard"), (RequestKind.WriteZeroes, "write_zeroes"),
    ];

    private static readonly string[] s_paces = ["rest", "share", "full"];
    private long _partialBefore;

    /// <inheritdoc/>
    public void Report(IStatusWriter status)
    {
        status.Text("engine", Engine);
        status.Text("layout", Layout.Name);
        if (Layout.Limits.Length > 0) status.Text("layout_limits", Layout.Limits);
        status.Text("name", Options.VolumeName);
        HealthReport health = Health.Now;
        status.Text("state", VolumeHealth.NameOf(health.State));
        status.Number("state_number", (int)health.State);
        if (health.State != VolumeState.Healthy) status.Text("state_reason", health.Reason);
        status.Text("state_since", health.Since.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture));
        status.Number("state_seconds", Health.SecondsIn(health));
        if (FlushLossAlone is { } loss)
            status.Text("flushes_without_cache", $"{loss}, and flushes fail until 'weir message resume'");
        status.Text("cache", Cache.Name);
        status.Text("cache_uuid", Superblock.CacheId.ToString("D"));
        status.Text("backing", First.Device.Name);
        status.Text("acknowledge_when", RamOutlivesProcess ? "in shared memory" : "durable");
        status.Text("memory", MemoryText);
        status.Text("cache_durable_write", Cache.CanWriteDurably && Log.WritesDurably ? "dsync" : "flush");
        status.Text("write_order", Around.Written == 0 && !Options.WriteAround && Options.BypassSequentialWrites == 0
            ? "prefix" : "prefix, but not of writes that go round the log");
        status.Text("reads_verified", ReadsVerified);
        status.Number("write_around_mode", Options.WriteAround ? 1 : 0);
        status.Number("size_bytes", SizeBytes);
        status.Number("epoch", Superblock.Epoch);
        ReportLog(status);
        ReportRequests(status);
        ReportDevices(status);
        ReportMemory(status);
    }

    /// <summary>Zeroes the request counters.</summary>
    public void ClearStatistics()
    {
        Counters.Clear();
        _partialBefore = Log.PartialRecords;
    }

    // Nothing on the backing device has a checksum of ours.
    private string ReadsVerified => !Index.KeepsChecksums
        ? "no: verify_reads is 0: rot in the cache is handed on as data"
        : !Layout.WritesHeaderLast ? "yes"
        : $"yes, with what was there at the start: layout {Layout.Name} has no checksum of data, only Weir's own seals";

    // As dm-writeboost 2.2 counts them: its clear_stat forgets them too.
    private long PartialRecords => Log.PartialRecords - _partialBefore;

    private void ReportLog(IStatusWriter status)
    {
        status.Number("segment_size_bytes", Geometry.SegmentBytes);
        status.Number("segments", Geometry.SegmentCount);
        if (IsGrowing) status.Number("segments_wanted", SegmentsWanted);
        status.Number("segments_free", Log.FreeSegments);
        status.Number("segment_head", Log.HeadSegment);
        status.Number("segments_dirty", System.Math.Max(0, Log.HeadSegment - Log.DirtySegment + 1));
        status.Number("segment_tail", Log.TailSegment);
        status.Number("log_reserved_position", Log.ReservedEnd);
        status.Number("log_written_position", Log.Written);
        status.Number("log_durable_position", Log.Durable);
        status.Number("log_records_written", Log.RecordsWritten);
        status.Number("log_bytes_written", Log.BytesWritten);
        status.Number("nr_partial_flushed", PartialRecords);
        status.Number("log_flushes", Log.FlushCount);
        status.Number("log_durable_writes", Log.DurableWriteCount);
        status.Number("blocks_written_back", BlocksWrittenBack);
        status.Number("segments_written_back", _segmentsWrittenBack);
        status.Text("writeback_pace", s_paces[(int)Governor.Pace]);
        status.Number("writers_paced", Throttle.IsPacing ? 1 : 0);
        status.Number("dirty_blocks", DirtyBlocks);
        status.Number("drain_blocks_left", IsDraining ? DrainBlocksLeft : 0);
        status.Number("dirty_ranges", DirtyRanges);
        status.Number("ranges_in_log", Ranges.Entries);
        status.Number("rotten_clean", _rottenClean);
        status.Number("rotten_dirty", _rottenDirty);
        status.Number("rotten_dirty_now", Index.RottenCount);
        status.Number("blocks_given_up", _blocksGivenUp);
        ReportLost(status);
        ReportHang(status);
        status.Number("scrub_passes", Scrub.Passes);
        status.Number("scrub_segments", Scrub.Segments);
        status.Number("scrub_blocks", Scrub.Blocks);
        status.Number("scrub_errors", Scrub.Errors);
        status.Number("dropping_caches", IsDropping ? 1 : 0);
    }

    private void ReportHang(IStatusWriter status)
    {
        if (Hang is { } hang) status.Text("not_answering", hang);
    }

    // Some of them; the message lost_blocks lists all.
    private void ReportLost(IStatusWriter status)
    {
        if (LostSentence is { } lost) status.Text("lost_blocks", lost);
    }

    private void ReportRequests(IStatusWriter status)
    {
        foreach ((RequestKind kind, string name) in s_kinds)
        {
            status.Number($"requests_{name}", Counters[RequestCounters.RequestsOf(kind)]);
            if (kind != RequestKind.Flush) status.Number($"{name}_bytes", Counters[RequestCounters.BytesOf(kind)]);
        }
        status.Number("requests_fua", Counters[RequestCounters.Fua]);
        for (int i = 0; i < QueueCounters.PieceNames.Length; i++)
            status.Number(QueueCounters.PieceNames[i], Counters[QueueCounters.Pieces + i]);
        status.Number("blocks_staged", Counters[QueueCounters.Staged]);
        status.Number("blocks_not_staged", Counters[QueueCounters.NotStaged]);
        status.Number("reads_again", Counters[QueueCounters.Reread]);
        status.Number("sequential_read_bytes", Counters[QueueCounters.SequentialReadBytes]);
        status.Number("write_around_bytes", Counters[QueueCounters.AroundBytes]);
        status.Number("blocks_read_ram", Counters[QueueCounters.FromRam]);
        status.Number("blocks_read_cache", Counters[QueueCounters.FromCache]);
        status.Number("blocks_read_backing", Counters[QueueCounters.FromBacking]);
        status.Number("blocks_read_unverified", Counters[QueueCounters.Unverified]);
        status.Number("reads_handed_on_unseen", Counters[QueueCounters.HandedOn]);
    }

    private void ReportDevices(IStatusWriter status)
    {
        List<BackingDevice> devices = Backings.ToList();
        status.Number("devices_absent", Backings.Absent.Length);
        status.Number("dirty_blocks_absent", AbsentDirtyBlocks);
        status.List("devices", devices.Count, (item, i) =>
        {
            item.Text("name", devices[i].Name);
            item.Number("id", devices[i].Id);
            item.Text("state", BackingDevice.NameOf(devices[i].State));
            if (!devices[i].IsAbsent) item.Text("backing", devices[i].Device.Name);
            item.Number("size_bytes", devices[i].ClientBytes);
            item.Number("dirty_blocks", DirtyBlocksOf(devices[i].Id));
            item.Number("writeback_threshold", ThresholdOf(devices[i]));
        });
    }

    private void ReportMemory(IStatusWriter status)
    {
        status.Number("ram_segments", Log.Ram.Count);
        status.Number("ram_segments_bytes", Log.Ram.DataBytes);
        status.Number("changes_bytes", Changes.BytesUsed);
        long table = (long)Geometry.SegmentCount * SegmentTable.BytesPerSegment;
        long index = Index.NodeBytes + Index.HeadBytes + table;
        long blocks = Geometry.SlotCount - Geometry.SegmentCount;
        long perBlock = index + Index.ChecksumBytes + Changes.BytesUsed;
        status.Number("index_bytes", index);
        status.Number("index_node_bytes", Index.NodeBytes);
        status.Number("index_head_bytes", Index.HeadBytes);
        status.Number("segment_table_bytes", table);
        status.Number("checksum_bytes", Index.ChecksumBytes);
        status.Number("ram_bytes_per_block", (perBlock + blocks - 1) / blocks);
        status.Number("ranges_memory_bytes", Ranges.BytesUsed);
        status.Number("writeback_memory_bytes", WritebackBytes);
    }
}

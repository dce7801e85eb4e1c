using System.Collections.Generic;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Queue;

namespace Weir.Core.Writeboost.Volume;

/// <content>The figures.</content>
public sealed unsafe partial class WriteboostVolume
{
    private static readonly string[] s_paces = ["rest", "share", "full"];
    private long _partialBefore;

    /// <inheritdoc/>
    public void Report(IStatusWriter status)
    {
        status.Text("engine", Engine);
        status.Text("layout", Layout.Name);
        if (Layout.Limits.Length > 0) status.Text("layout_limits", Layout.Limits);
        status.Text("name", Options.VolumeName);
        Health.Report(status);
        if (Alone.FlushLoss is { } loss)
            status.Text("flushes_without_cache", $"{loss}, and flushes fail until 'weir message resume'");
        status.Text("cache", Cache.Name);
        status.Text("cache_uuid", Superblock.CacheId.ToString("D"));
        status.Text("backing", First.Device.Name);
        status.Text("acknowledge_when", Memory.Outlives ? "in shared memory" : "durable");
        status.Text("memory", DirtyData.HasNoCache ? "none is needed: the cache device has failed" : Memory.Text);
        status.Text("cache_durable_write", Cache.CanWriteDurably && Log.WritesDurably ? "dsync" : "flush");
        status.Text("write_order", Around.Written == 0 && !Options.WriteAround && Options.BypassSequentialWrites == 0
            ? "prefix" : "prefix, but not of writes that go round the log");
        status.Text("reads_verified", ReadsVerified);
        status.Gauge("write_around_mode", Options.WriteAround ? 1 : 0);
        status.Gauge("size_bytes", SizeBytes);
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
        status.Gauge("segment_size_bytes", Geometry.SegmentBytes);
        status.Gauge("segments", Geometry.SegmentCount);
        if (IsGrowing) status.Gauge("segments_wanted", Growth.SegmentsWanted);
        status.Gauge("segments_free", Log.FreeSegments);
        status.Gauge("segment_head", Log.HeadSegment);
        status.Gauge("segments_dirty", System.Math.Max(0, Log.HeadSegment - Log.DirtySegment + 1));
        status.Gauge("segment_tail", Log.TailSegment);
        status.Gauge("log_reserved_position", Log.ReservedEnd);
        status.Gauge("log_written_position", Log.Written);
        status.Gauge("log_durable_position", Log.Durable);
        status.Counter("log_records_written", Log.RecordsWritten);
        status.Counter("log_bytes_written", Log.BytesWritten);
        status.Counter("nr_partial_flushed", PartialRecords);
        status.Counter("log_flushes", Log.FlushCount);
        status.Counter("log_durable_writes", Log.DurableWriteCount);
        status.Counter("blocks_written_back", BlocksWrittenBack);
        status.Counter("segments_written_back", Progress.Segments);
        status.Text("writeback_pace", s_paces[(int)Governor.Pace]);
        status.Gauge("writers_paced", Throttle.IsPacing ? 1 : 0);
        status.Gauge("dirty_blocks", DirtyBlocks);
        status.Gauge("drain_blocks_left", IsDraining ? DrainBlocksLeft : 0);
        status.Gauge("dirty_ranges", DirtyRanges);
        status.Gauge("ranges_in_log", Ranges.Entries);
        status.Counter("rotten_clean", Rot.CleanCount);
        status.Counter("rotten_dirty", Rot.DirtyCount);
        status.Gauge("rotten_dirty_now", Index.RottenCount);
        status.Counter("blocks_given_up", GiveUps.BlocksGivenUp);
        ReportLost(status);
        ReportHang(status);
        status.Counter("scrub_passes", Scrub.Passes);
        status.Counter("scrub_segments", Scrub.Segments);
        status.Counter("scrub_blocks", Scrub.Blocks);
        status.Counter("scrub_errors", Scrub.Errors);
        status.Gauge("dropping_caches", IsDropping ? 1 : 0);
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
        Counters.ReportRequests(status);
        for (int i = 0; i < QueueCounters.PieceNames.Length; i++)
            status.Counter(QueueCounters.PieceNames[i], Counters[QueueCounters.Pieces + i]);
        status.Counter("blocks_staged", Counters[QueueCounters.Staged]);
        status.Counter("blocks_not_staged", Counters[QueueCounters.NotStaged]);
        status.Counter("reads_again", Counters[QueueCounters.Reread]);
        status.Counter("sequential_read_bytes", Counters[QueueCounters.SequentialReadBytes]);
        status.Counter("write_around_bytes", Counters[QueueCounters.AroundBytes]);
        status.Counter("blocks_read_ram", Counters[QueueCounters.FromRam]);
        status.Counter("blocks_read_cache", Counters[QueueCounters.FromCache]);
        status.Counter("blocks_read_backing", Counters[QueueCounters.FromBacking]);
        status.Counter("blocks_read_unverified", Counters[QueueCounters.Unverified]);
        status.Counter("reads_handed_on_unseen", Counters[QueueCounters.HandedOn]);
    }

    private void ReportDevices(IStatusWriter status)
    {
        List<BackingDevice> devices = Backings.ToList();
        status.Gauge("devices_absent", Backings.Absent.Length);
        status.Gauge("dirty_blocks_absent", DirtyData.AbsentBlocks);
        status.List("devices", devices.Count, (item, i) =>
        {
            item.Text("name", devices[i].Name);
            item.Number("id", devices[i].Id);
            item.Text("state", BackingDevice.NameOf(devices[i].State));
            if (!devices[i].IsAbsent) item.Text("backing", devices[i].Device.Name);
            item.Gauge("size_bytes", devices[i].ClientBytes);
            item.Gauge("dirty_blocks", DirtyData.BlocksOf(devices[i].Id));
            item.Gauge("writeback_threshold", devices[i].ThresholdOr(Options.WritebackThreshold));
        });
    }

    private void ReportMemory(IStatusWriter status)
    {
        status.Gauge("ram_segments", Log.Ram.Count);
        status.Gauge("ram_segments_bytes", Log.Ram.DataBytes);
        status.Gauge("changes_bytes", Changes.BytesUsed);
        long table = (long)Geometry.SegmentCount * SegmentTable.BytesPerSegment;
        long index = Index.NodeBytes + Index.BucketBytes + table;
        long blocks = Geometry.SlotCount - Geometry.SegmentCount;
        long perBlock = index + Index.ChecksumBytes + Changes.BytesUsed;
        status.Gauge("index_bytes", index);
        status.Gauge("index_node_bytes", Index.NodeBytes);
        status.Gauge("index_head_bytes", Index.BucketBytes);
        status.Gauge("segment_table_bytes", table);
        status.Gauge("checksum_bytes", Index.ChecksumBytes);
        status.Gauge("ram_bytes_per_block", (perBlock + blocks - 1) / blocks);
        status.Gauge("ranges_memory_bytes", Ranges.BytesUsed);
        status.Gauge("writeback_memory_bytes", Progress.MemoryBytes);
    }
}

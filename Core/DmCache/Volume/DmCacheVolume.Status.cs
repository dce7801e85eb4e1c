using System.Collections.Generic;
using Weir.Core.DmCache.Migration;
using Weir.Core.DmCache.Queue;
using Weir.Core.DmCache.Settings;
using Weir.Core.Io;
using Weir.Core.Volumes;

namespace Weir.Core.DmCache.Volume;

/// <content>The figures.</content>
public sealed unsafe partial class DmCacheVolume
{
    private static readonly string[] s_modes = ["writeback", "writethrough", "passthrough"];

    /// <summary>The mode's name, as the command line and the kernel have it.</summary>
    public static string NameOf(CacheMode mode) => s_modes[(int)mode];

    /// <inheritdoc/>
    public void Report(IStatusWriter status)
    {
        status.Text("engine", Engine);
        status.Text("name", Options.VolumeName);
        Health.Report(status);
        if (Hang is { } hang) status.Text("not_answering", hang);
        status.Text("cache", _devices.Cache.Name);
        status.Text("metadata", _devices.Metadata?.Name ?? "at the head of the cache device");
        status.Text("backing", _devices.Backing.Name);
        status.Text("mode", NameOf(Mode.Named));
        if (WantedMode != Mode.Named) status.Text("mode_wanted", NameOf(WantedMode));
        status.Text("policy", Policy.Host.Info.Name);
        status.Text("suspended", Suspension.Name);
        status.Gauge("size_bytes", SizeBytes);
        ReportBlocks(status);
        ReportRequests(status);
        ReportMoves(status);
        status.Group("policy_figures", ReportPolicy);
        ReportMemory(status);
    }

    /// <summary>Zeroes the request counters.</summary>
    public void ClearStatistics() => Counters.Clear();

    private void ReportBlocks(IStatusWriter status)
    {
        status.Gauge("block_size_bytes", Map.Geometry.BlockBytes);
        status.Gauge("cache_blocks", Map.Geometry.Places);
        status.Gauge("cached_blocks", Map.Table.MappedCount);
        status.Gauge("free_blocks", Map.Free.Count);
        status.Gauge("dirty_blocks", Map.Table.DirtyCount);
        status.Gauge("marked_blocks", Map.Table.MarkedCount);
        if (LostSentence is { } lost) status.Text("lost_blocks", lost);
        status.Gauge("unreadable_blocks", Map.Unreadable.Count);
        status.Gauge("doubtful_blocks", Map.Table.DoubtfulCount);
        status.Number("metadata_version", Metadata.Head.Version);
        status.Gauge("metadata_blocks", Metadata.MetadataBlocks);
        status.Gauge("metadata_blocks_used", Metadata.MetadataBlocks - Metadata.FreeMetadataBlocks);
    }

    private void ReportRequests(IStatusWriter status)
    {
        Counters.ReportRequests(status);
        status.Counter("read_hits", Counters[QueueCounters.ReadHits]);
        status.Counter("read_misses", Counters[QueueCounters.ReadMisses]);
        status.Counter("write_hits", Counters[QueueCounters.WriteHits]);
        status.Counter("write_misses", Counters[QueueCounters.WriteMisses]);
        status.Counter("errors", Counters[QueueCounters.Errors]);
        status.Counter("hits_read_at_home", Counters[QueueCounters.ReadAtHome]);
        status.Counter("writes_awaiting_marks", Counters[QueueCounters.MarkWaits]);
        status.Counter("requests_awaiting_locks", Counters[QueueCounters.LockWaits]);
    }

    private void ReportMoves(IStatusWriter status)
    {
        status.Counter("promotions", Moves[MoveEvent.Promoted]);
        status.Counter("demotions", Moves[MoveEvent.Demoted]);
        status.Counter("blocks_written_back", Moves[MoveEvent.WrittenBack]);
        status.Counter("copies_avoided", Moves[MoveEvent.CopyAvoided]);
        status.Counter("cache_cell_clashes", Moves[MoveEvent.Clashed]);
        status.Counter("doubtful_blocks_equal", Moves[MoveEvent.WasEqual]);
        status.Counter("commits", Commits.Commits);
        status.Counter("metadata_bytes_written", Commits.Blocks * Format.CacheMetadata.BlockBytes);
        status.Counter("not_promoted_sequential", Moves[MoveEvent.LeftSequential]);
        status.Counter("not_promoted_unwanted", Moves[MoveEvent.LeftUnwanted]);
        status.Counter("not_promoted_crowded", Moves[MoveEvent.LeftCrowded]);
        status.Counter("not_promoted_no_place", Moves[MoveEvent.LeftNoPlace]);
        status.Counter("not_promoted_failed", Moves[MoveEvent.LeftFailed]);
        status.Counter("not_promoted_unreadable", Moves[MoveEvent.LeftUnreadable]);
        status.Counter("accesses_untold", Counters[QueueCounters.Untold]);
    }

    // By names of its own. The latch is not for as long as a writer takes.
    private void ReportPolicy(IStatusWriter to)
    {
        List<(string Name, long Value)> figures = [];
        Policy.Enter();
        Policy.Host.Report((name, value) => figures.Add((name, value)));
        Policy.Exit();
        foreach ((string name, long value) in figures) to.Number(name, value);
    }

    private void ReportMemory(IStatusWriter status)
    {
        long policy = Policy.Host.MemoryBytes;
        long all = Map.MemoryBytes + Changes.MemoryBytes + policy;
        status.Gauge("mapping_bytes", Map.MemoryBytes);
        status.Gauge("changes_bytes", Changes.MemoryBytes);
        status.Gauge("policy_bytes", policy);
        status.Gauge("ram_bytes_per_block", (all + Map.Geometry.Places - 1) / Map.Geometry.Places);
    }
}

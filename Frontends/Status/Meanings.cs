using System.Collections.Generic;
using System.Linq;

namespace Weir.Frontends.Status;

/// <summary>
/// One line for each figure of <c>weir status</c>: what it counts, and in which unit. A list's figures are LIST.FIGURE.
/// A test compares this with what the program reports, both ways.
/// </summary>
internal static class Meanings
{
    private static readonly Dictionary<string, string> s_volume = new()
    {
        // The program.
        ["name"] = "name of the first export",
        ["uri"] = "where clients find the exports",
        ["version"] = "of this program",
        ["pid"] = "process number of this program",
        ["uptime_s"] = "seconds since the start",
        ["queues"] = "queue threads",
        ["log_lines_dropped"] = "lines of the log that were dropped because nobody read standard error",
        ["engine"] = "what serves the volume",
        ["access"] = "read-write, or read-only as the command line has asked",
        ["options"] = "present values of the options, as 'weir message KEY' shows them; 'weir message help' says more",
        // Of both engines.
        ["state"] = "healthy, retrying, degraded, read-only, failed or pass-through; see docs/durability.md",
        ["state_number"] = "the state as a number: 0 healthy, 1 read-only, 2 failed, 3 pass-through, 4 retrying, "
            + "5 degraded",
        ["state_reason"] = "why the state is not healthy",
        ["state_since"] = "when the state began, in UTC",
        ["state_seconds"] = "seconds since the state began",
        ["backing"] = "the first backing device",
        ["size_bytes"] = "size of the first export, in bytes",
        ["read_bytes"] = "bytes that clients have asked to read, since the start or clear_stat",
        ["write_bytes"] = "bytes that clients have written, since the start or clear_stat",
        // Engine passthrough.
        ["reads"] = "reads that clients have asked for, of whatever length",
        ["writes"] = "writes that clients have asked for, likewise",
        ["flushes"] = "flushes that clients have asked for",
        ["discards"] = "discards that clients have asked for",
        ["write_zeroes"] = "write-zeroes that clients have asked for",
        ["errors"] = "requests, or pieces of 1 MiB of long ones, that have failed",
        // Engine writeboost: what it is.
        ["layout"] = "form of what lies on the cache device",
        ["layout_limits"] = "what the layout cannot do",
        ["cache"] = "the cache device",
        ["cache_uuid"] = "identity of the cache, from its superblock",
        ["memory"] = "whether the memory that outlives the process is there, and where",
        ["cache_durable_write"] = "how a lone record becomes durable: dsync: by its own write; flush: by a flush",
        ["reads_verified"] = "yes: blocks read from the cache device are compared with checksums; no, and why not",
        ["acknowledge_when"] = "a write is answered when it is in shared memory, or when it is durable",
        ["write_order"] = "what survives a power cut: a prefix of all writes, or of those that went through the log",
        ["write_around_mode"] = "1: writes go to the backing device",
        ["epoch"] = "starts of this cache so far; 0 where the layout does not count them",
    };

    private static readonly Dictionary<string, string> s_log = new()
    {
        // The log.
        ["segment_size_bytes"] = "size of a segment of the log, in bytes",
        ["segments"] = "segments of the cache",
        ["segments_wanted"] = "segments that there will be when the growth has ended",
        ["segments_free"] = "segments that may be written at once",
        ["segment_head"] = "number of the newest segment that has been opened",
        ["segments_dirty"] = "segments from the oldest that is not written back to the newest",
        ["segment_tail"] = "number of the oldest segment that is still cached",
        ["log_reserved_position"] = "log position, in slots, up to which writers have taken their places",
        ["log_written_position"] = "log position, in slots, up to which the log is on the cache device, durable or not",
        ["log_durable_position"] = "log position, in slots, up to which the log is durable",
        ["log_records_written"] = "records written to the log since the start",
        ["log_bytes_written"] = "bytes written to the log since the start, headers included",
        ["nr_partial_flushed"] = "records closed before they were full, since the start or clear_stat",
        ["log_flushes"] = "flushes of the cache device for the log since the start",
        ["log_durable_writes"] = "records that were written durably by themselves, so that no flush followed",
        // Write-back.
        ["blocks_written_back"] = "blocks written to backing devices since the start",
        ["segments_written_back"] = "segments written back since the start",
        ["writeback_pace"] = "rest: only while clients are idle; share: a part of the time; full: without regard",
        ["writers_paced"] = "1: writers go at the pace of write-back, as the cache is full",
        ["dirty_blocks"] = "cache blocks, or in writeboost versions of 4 KiB blocks, that backing devices do not have",
        ["drain_blocks_left"] = "of a drain under way: blocks that are not written back yet; else 0",
        ["dirty_ranges"] = "discarded and zeroed ranges that backing devices do not have",
        ["ranges_in_log"] = "range entries in the log until their segments are reclaimed; at most range_budget",
        ["dropping_caches"] = "1: a drop_caches is under way",
        // Rot.
        ["rotten_clean"] = "rotten blocks found since the start that the backing device has too",
        ["rotten_dirty"] = "rotten blocks found since the start that only the cache had",
        ["rotten_dirty_now"] = "blocks that read EIO now, until they are written",
        ["not_answering"] = "a device that has operations and has ended none for ten seconds or more",
        ["flushes_without_cache"] = "devices without a cache whose flushes fail until 'weir message resume', and why",
        ["lost_blocks"] = "how many blocks are lost, and some of them; 'weir message lost_blocks' lists all",
        ["blocks_given_up"] = "lost blocks that were given up since the start",
        ["scrub_passes"] = "times that the scrubber has read the whole log since the start",
        ["scrub_segments"] = "segments that the scrubber has read since the start",
        ["scrub_blocks"] = "blocks that the scrubber has compared with their checksums since the start",
        ["scrub_errors"] = "blocks and headers that the scrubber found rotten or unreadable since the start",
    };

    private static readonly Dictionary<string, string> s_requests = new()
    {
        // Requests, since the start or clear_stat.
        ["requests_read"] = "reads that clients have asked for, of whatever length, since the start or clear_stat",
        ["requests_write"] = "writes, since the start or clear_stat",
        ["requests_flush"] = "flushes, since the start or clear_stat",
        ["requests_discard"] = "discards, since the start or clear_stat",
        ["requests_write_zeroes"] = "write-zeroes, since the start or clear_stat",
        ["discard_bytes"] = "bytes that clients have discarded, since the start or clear_stat",
        ["write_zeroes_bytes"] = "bytes that clients have zeroed, since the start or clear_stat",
        ["requests_fua"] = "requests that wanted to be durable before their answer, since the start or clear_stat",
        ["blocks_staged"] = "blocks that reads have brought into the cache, since the start or clear_stat",
        ["blocks_not_staged"] = "blocks that were not, for want of room or because they had changed",
        ["reads_again"] = "reads begun again because a block was rotten or had gone, since the start or clear_stat",
        ["sequential_read_bytes"] = "bytes of reads too long for the read cache, since the start or clear_stat",
        ["write_around_bytes"] = "bytes of writes that went round the log, since the start or clear_stat",
        ["blocks_read_ram"] = "block versions read from RAM, since the start or clear_stat",
        ["blocks_read_cache"] = "block versions read from the cache device, since the start or clear_stat",
        ["blocks_read_unverified"] = "block versions read from the cache device without a check, likewise",
        ["reads_handed_on_unseen"] = "reads whose bytes this program does not see, so that it checks nothing, likewise",
        ["blocks_read_backing"] = "blocks read from a backing device, since the start or clear_stat",
        // Parts of requests in one block, as the kernel's programs count them, since the start or clear_stat: of what
        // the engine is asked, which is pieces of at most 1 MiB, and reads of sectors of which a write changes a part.
        ["pieces_read_miss_part"] = "parts of engine reads in one block: less than the block, not in the log",
        ["pieces_read_miss_full"] = "parts of engine reads in one block: the whole block, not in the log",
        ["pieces_read_none_part"] = "always 0: in RAM and not in the log",
        ["pieces_read_none_full"] = "always 0: in RAM and not in the log",
        ["pieces_read_cache_part"] = "parts of engine reads in one block: less than the block, on the cache device",
        ["pieces_read_cache_full"] = "parts of engine reads in one block: the whole block, on the cache device",
        ["pieces_read_ram_part"] = "parts of engine reads in one block: less than the block, in RAM",
        ["pieces_read_ram_full"] = "parts of engine reads in one block: the whole block, in RAM",
        ["pieces_write_miss_part"] = "parts of engine writes in one block: less than the block, not in the log before",
        ["pieces_write_miss_full"] = "parts of engine writes in one block: the whole block, not in the log before",
        ["pieces_write_none_part"] = "always 0: in RAM and not in the log",
        ["pieces_write_none_full"] = "always 0: in RAM and not in the log",
        ["pieces_write_cache_part"] = "parts of engine writes in one block: less than it, on the cache device before",
        ["pieces_write_cache_full"] = "parts of engine writes in one block: all of it, on the cache device before",
        ["pieces_write_ram_part"] = "parts of engine writes in one block: less than the block, in RAM before",
        ["pieces_write_ram_full"] = "parts of engine writes in one block: the whole block, in RAM before",
    };

    private static readonly Dictionary<string, string> s_rest = new()
    {
        // Devices.
        ["devices_absent"] = "backing devices of this cache that are not given",
        ["dirty_blocks_absent"] = "dirty blocks of those",
        ["devices"] = "the backing devices of this cache",
        ["devices.name"] = "name of the export",
        ["devices.id"] = "number of the device in the log",
        ["devices.state"] = "attached, absent, or on its way",
        ["devices.backing"] = "the device or file",
        ["devices.size_bytes"] = "its size, in bytes",
        ["devices.dirty_blocks"] = "dirty_blocks of this device",
        ["devices.writeback_threshold"] = "its own writeback_threshold, or the volume's: percent of the time",
        // Memory.
        ["ram_segments"] = "segments kept in memory",
        ["ram_segments_bytes"] = "their size, in bytes",
        ["changes_bytes"] = "memory of the table of changes under way, in bytes",
        ["index_bytes"] = "memory of the index, in bytes: the next three",
        ["index_node_bytes"] = "memory of the index's nodes, one for each block of the cache, in bytes",
        ["index_head_bytes"] = "memory of the index's buckets, in bytes",
        ["segment_table_bytes"] = "memory of the table of segments, in bytes",
        ["checksum_bytes"] = "memory of block checksums, in bytes; 0 without verify_reads",
        ["ram_bytes_per_block"] = "memory of all these for each block of the cache, in bytes, rounded up",
        ["ranges_memory_bytes"] = "memory of the map of ranges, in bytes",
        ["writeback_memory_bytes"] = "buffers of write-back, in bytes: in RAM as far as a batch has filled them",
        // The queue threads.
        ["queue_turns"] = "turns of the queue threads' loops since the start",
        ["queue_allocated_bytes"] = "bytes that the queue threads have allocated on the managed heap since the start",
        // What clients ask for, recorded.
        ["trace"] = "the file that requests are recorded in; off, or why that has failed",
        ["trace_requests"] = "requests recorded since the start",
        ["trace_dropped_requests"] = "requests left out of a recording because its file was too slow, since the start",
        // NBD.
        ["nbd_open_connections"] = "connections now",
        ["nbd_accepted_connections"] = "connections since the start, whatever has become of them",
        ["nbd_connections"] = "of these, the ones that have been given an export",
        ["nbd_refused_connections"] = "of these, the ones turned away because there were too many",
        ["nbd_broken_connections"] = "of these, the ones ended because the client broke the protocol, early or late",
        ["nbd_expired_connections"] = "of these, the ones ended because they said nothing for too long",
        ["nbd_requests"] = "requests taken since the start",
        ["nbd_refused_requests"] = "requests that were not valid",
        ["nbd_merged_changes"] = "changes of parts of sectors, read, merged and written",
        ["nbd_borrowed_bytes"] = "memory that connections have borrowed for large requests now, in bytes",
        ["nbd_sends"] = "sends since the start, each with all replies that were ready",
        // ublk.
        ["ublk_reads"] = "reads answered since the start",
        ["ublk_direct_reads"] = "of these, the ones whose bytes went to the driver without a copy of ours",
        ["ublk_writes"] = "writes answered since the start",
        ["ublk_flushes"] = "flushes answered since the start",
        ["ublk_fua_writes"] = "writes that wanted to be durable before their answer, since the start",
        ["ublk_discards"] = "discards answered since the start",
        ["ublk_write_zeroes"] = "write-zeroes answered since the start",
        ["ublk_errors"] = "requests that have failed since the start",
        ["ublk_copy"] = "how the bytes of requests are copied",
        ["ublk_recoverable"] = "yes: another process can take the devices over when this one dies",
        ["ublk_features"] = "what the driver can do, as bits of UBLK_F_*",
    };

    private static readonly Dictionary<string, string> s_blocks = new()
    {
        // Engine dmcache: what it is.
        ["metadata"] = "where the metadata lie: a device, or the head of the cache device",
        ["metadata_version"] = "form of the metadata: 1, or 2 with dirty bits of their own",
        ["mode"] = "what is true of every block: writeback, writethrough or passthrough",
        ["mode_wanted"] = "the mode on its way: blocks are still written back before it has its name",
        ["policy"] = "who decides what is cached",
        ["suspended"] = "whether requests wait until 'weir message resume': no, begun, yes or ending",
        ["block_size_bytes"] = "size of a cache block, in bytes",
        ["cache_blocks"] = "blocks that the cache device has room for",
        ["cached_blocks"] = "of these, the ones that hold something",
        ["free_blocks"] = "of these, the ones that may be filled at once",
        ["unreadable_blocks"] = "cached blocks that the cache device has refused to give: clean ones leave, dirty ones "
            + "are lost",
        ["marked_blocks"] = "blocks that the durable metadata mark: a crash now would leave them dirty",
        ["doubtful_blocks"] = "blocks that another program left clean, not compared with the backing device yet",
        ["metadata_blocks"] = "blocks of 4 KiB that the metadata may use",
        ["metadata_blocks_used"] = "of these, the ones in use",
        // Parts of requests in one block, as the kernel counts them, since the start or clear_stat.
        ["read_hits"] = "parts of reads in one block: cached",
        ["read_misses"] = "parts of reads in one block: not cached",
        ["write_hits"] = "parts of writes in one block: cached",
        ["write_misses"] = "parts of writes in one block: not cached",
        ["hits_read_at_home"] = "reads of clean blocks that the cache device refused and the backing device gave",
        ["writes_awaiting_marks"] = "writes that waited until the metadata marked their block as dirty",
        ["requests_awaiting_locks"] = "requests that waited for another one of the same block, or for its migration",
        // What moves, since the start.
        ["promotions"] = "blocks brought into the cache since the start",
        ["demotions"] = "blocks that gave way to others since the start",
        ["copies_avoided"] = "promotions without a read: of blocks discarded, or written as a whole",
        ["cache_cell_clashes"] = "migrations put off because somebody was at work in the block",
        ["doubtful_blocks_equal"] = "doubtful blocks that turned out to be the same at home",
        ["commits"] = "commits of the metadata since the start",
        ["metadata_bytes_written"] = "bytes of metadata written since the start",
        ["not_promoted_sequential"] = "misses that belonged to a sequential stream",
        ["not_promoted_unwanted"] = "misses of blocks that the policy did not want, or not yet",
        ["not_promoted_crowded"] = "misses while too many other blocks waited to be brought in",
        ["not_promoted_no_place"] = "blocks that had to wait because none could give way: all were dirty or busy",
        ["not_promoted_failed"] = "blocks not brought in because a device refused the copy, or a request came between",
        ["not_promoted_unreadable"] = "misses of blocks of which the backing device refused a read less than a minute "
            + "before",
        ["accesses_untold"] = "accesses that the policy has not heard of: it was busy for too long",
        // Of ssdcache.
        ["began"] = "whether the cache was warm when this life began, and why",
        ["sets"] = "sets of the cache",
        ["ways"] = "blocks of a set",
        ["assoc"] = "sets that are tried after a block's own",
        ["dirty_bytes"] = "dirty data, in bytes, in steps of 4 KiB",
        ["directory_pages"] = "pages of the directory on the cache device",
        ["open_pages"] = "of these, the ones whose clean blocks a power cut would forget",
        ["directory_bytes"] = "memory of the directory, in bytes",
        ["directory_bytes_written"] = "written to the directory on the cache device, in bytes",
        ["read_clean"] = "reads in one block of which the cache had all",
        ["read_busy"] = "reads in one block that waited for a write of their sectors",
        ["read_invalid"] = "reads in one block that is cached, but not all of these sectors",
        ["read_miss"] = "reads in one block that is not cached",
        ["write_invalid"] = "writes in one block that is cached",
        ["write_miss"] = "writes in one block that became cached",
        ["write_busy"] = "writes in one block that waited for others at their sectors, and were cached",
        ["write_cancel"] = "writes in one block that took these sectors out of the cache",
        ["write_skip"] = "writes in one block that found no way, or wanted none",
        ["write_done"] = "writes in one block that did not wait for the directory",
        ["bypassed"] = "reads in one block that belonged to a sequential stream",
        ["reads_lost"] = "reads of sectors that only the cache had, and did not give",
        ["requests_awaiting_pages"] = "requests that waited until a page of the directory was open",
        ["evictions"] = "blocks that gave way to others",
        ["fills"] = "times that what was read at home was put into the cache",
        ["not_filled_failed"] = "times that the cache device refused it",
        ["not_filled_crowded"] = "times that too much was on its way, or a write waited",
        ["not_filled_closed"] = "times that a page of the directory was not open yet",
        ["not_filled_no_way"] = "times that no block could give way: all were dirty or busy",
        ["not_filled_not_admitted"] = "times that the block was not wanted, or not yet",
        ["writeback_bytes"] = "written home by write-back, in bytes",
        ["writeback_writes"] = "writes that this took",
        ["writebacks_cancelled"] = "blocks that were written meanwhile, and stay dirty",
        ["policy_figures"] = "what the policy counts, why it refuses, and what it adapts to, by names of its own",
        ["mapping_bytes"] = "memory of the mapping, in bytes",
        ["policy_bytes"] = "memory of the policy, in bytes",
    };

    private static readonly Dictionary<string, string>[] s_all = [s_volume, s_log, s_requests, s_rest, s_blocks];

    /// <summary>Every figure that has a line.</summary>
    public static IEnumerable<string> Figures => s_all.SelectMany(static part => part.Keys);

    /// <summary>Of one figure; null when it has none.</summary>
    public static string? Of(string figure)
    {
        foreach (Dictionary<string, string> part in s_all)
            if (part.TryGetValue(figure, out string? line)) return line;
        return null;
    }
}

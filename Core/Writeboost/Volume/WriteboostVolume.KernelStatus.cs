using System;
using System.Text;
using Weir.Core.Io;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Queue;

namespace Weir.Core.Writeboost.Volume;

/// <content>
/// <c>weir status --dm</c>: status and table lines as the kernel's programs print them. <c>native</c> speaks like
/// dm-writeboost 2.2, the layouts of older programs like those (seed 003; seeds 000 and 001).
/// </content>
public sealed unsafe partial class WriteboostVolume : IKernelStatus
{
    // The seeds print all but the last of their sixteen counters.
    private const int SeedCounters = 15;
    private const long UsPerSecond = 1_000_000, UsPerMs = 1000;

    private int BlocksPerSegment => Geometry.SlotsPerSegment - 1;

    // On the cache device, durable or not: the kernel's programs say so when the write has ended.
    private long LastFlushed => Geometry.SegmentOf(Log.Written) - 1;

    private long LastWrittenBack => Log.DirtySegment - 1;

    // Where the next block goes, counted over all blocks of the cache.
    private (long Segment, long Cursor) Current
    {
        get
        {
            long segment = Log.CurrentSegment(out int taken);
            return (segment, ((long)Geometry.Physical(segment) * BlocksPerSegment) + Math.Max(0, taken - 1));
        }
    }

    // What the next batch takes: only what is durable.
    private long BatchNow => Math.Clamp(
        Geometry.SegmentOf(Log.Durable) - 1 - LastWrittenBack, 0, Options.MaxBatchedWriteback);

    /// <inheritdoc/>
    public string KernelStatus() => Layout.Name switch
    {
        "lc1" => Lc1Status(),
        "writeboost1" => Lines(Writeboost1Fields(), ""),
        _ => Lines(Writeboost2Fields(), Writeboost2Arguments()),
    };

    private string Lines(string fields, string arguments)
    {
        string target = $"0 {First.SizeBytes / Geometry.SectorBytes} writeboost";
        return $"{target} {fields}\n{target} {First.Device.KernelName} {Cache.KernelName}{arguments}\n";
    }

    private string Writeboost2Fields()
    {
        StringBuilder text = new();
        (long current, long cursor) = Current;
        text.Append($"{cursor} {(long)Geometry.SegmentCount * BlocksPerSegment} {Geometry.SegmentCount} ");
        text.Append($"{current} {LastFlushed} {LastWrittenBack} {DirtyBlocks} ");
        for (int i = 0; i < 16; i++) text.Append($"{Counters[QueueCounters.Pieces + i]} ");
        text.Append($"{PartialRecords} 10 writeback_threshold {Options.WritebackThreshold} ");
        text.Append($"nr_cur_batched_writeback {BatchNow} sync_data_interval {Options.SyncIntervalUs / UsPerSecond} ");
        text.Append($"update_sb_record_interval {Options.MarkIntervalUs / UsPerSecond} ");
        text.Append($"read_cache_threshold {Options.ReadCacheThreshold}");
        return text.ToString();
    }

    private string Writeboost2Arguments() =>
        $" 12 writeback_threshold {Options.WritebackThreshold} nr_max_batched_writeback {Options.MaxBatchedWriteback}"
        + $" sync_data_interval {Options.SyncIntervalUs / UsPerSecond}"
        + $" update_sb_record_interval {Options.MarkIntervalUs / UsPerSecond}"
        + $" read_cache_threshold {Options.ReadCacheThreshold} write_around_mode {(Options.WriteAround ? 1 : 0)}";

    private string Writeboost1Fields()
    {
        StringBuilder text = new();
        (long current, long cursor) = Current;
        text.Append($"{DirtyBlocks} {Geometry.SegmentCount} {LastWrittenBack} {LastFlushed} {current} {cursor} ");
        for (int i = 0; i < SeedCounters; i++) text.Append($"{SeedCounter(i)} ");
        text.Append($"7 barrier_deadline_ms {Options.BarrierDeadlineUs / UsPerMs} ");
        text.Append($"allow_migrate {(Options.AllowWriteback ? 1 : 0)} ");
        text.Append($"enable_migration_modulator {(Options.ModulateWriteback ? 1 : 0)} ");
        text.Append($"migrate_threshold {Options.WritebackThreshold} nr_cur_batched_migration {BatchNow} ");
        text.Append($"sync_interval {Options.SyncIntervalUs / UsPerSecond} ");
        text.Append($"update_record_interval {Options.MarkIntervalUs / UsPerSecond}");
        return text.ToString();
    }

    // One target for each device, whose status line is empty, and the manager's, which has no table line of its own.
    private string Lc1Status()
    {
        StringBuilder text = new();
        (long current, long cursor) = Current;
        for (int id = BackingTable.MinId; id <= BackingTable.MaxId; id++)
            if (Attached(id) is { } device) text.Append($"0 {device.SizeBytes / Geometry.SectorBytes} lc \n");
        text.Append($"0 1 lc-mgr \ncurrent cache_id_ptr: 1\nstatic RAM(approx.): {MemoryBytes} (byte)\n");
        text.Append($"allow_migrate: {(Options.AllowWriteback ? 1 : 0)}\nnr_segments: {Geometry.SegmentCount}\n");
        text.Append($"last_migrated_segment_id: {LastWrittenBack}\nlast_flushed_segment_id: {LastFlushed}\n");
        text.Append($"current segment id: {current}\ncursor: {cursor}\n\n");
        text.Append("write? hit? on_buffer? fullsize?\n");
        for (int i = 0; i < SeedCounters; i++)
            text.Append($"{i & 1} {(i >> 1) & 1} {(i >> 2) & 1} {i >> 3} {SeedCounter(i)}\n");
        for (int id = BackingTable.MinId; id <= BackingTable.MaxId; id++)
            if (Attached(id) is { } device)
                text.Append($"0 {device.SizeBytes / Geometry.SectorBytes} lc {id} {device.Device.KernelName} 1\n");
        return text.Append("0 1 lc-mgr \n").ToString();
    }

    private BackingDevice? Attached(int id) => Backings.Find(id) is { IsAbsent: false } device ? device : null;

    private long MemoryBytes =>
        Log.Ram.DataBytes + Index.NodeBytes + Index.BucketBytes + Index.ChecksumBytes + Ranges.BytesUsed;

    // Their bits are in the other order: write, hit, in RAM, whole are bits 0 to 3.
    private long SeedCounter(int index)
    {
        int ours = ((index & 1) << 3) | ((index & 2) << 1) | ((index & 4) >> 1) | (index >> 3);
        return Counters[QueueCounters.Pieces + ours];
    }
}

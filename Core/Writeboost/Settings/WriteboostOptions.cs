using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Cleaning;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Settings;

/// <summary>What can be set on a <c>writeboost</c> volume; defaults are the product's.</summary>
public sealed class WriteboostOptions : CleaningSettings
{
    /// <summary>The form of what lies on the cache device.</summary>
    public Layout Layout { get; set; } = Layout.Native;

    /// <summary>
    /// Makes the volume that goes on with a backing device alone when the cache device has failed; null: none does.
    /// </summary>
    public Func<Device, IVolume>? Fallback { get; set; }

    /// <summary>
    /// Volumes without a cache that are served beside this one: its <c>resume</c> and its status are theirs too.
    /// </summary>
    public IReadOnlyList<(IVolume Volume, Device Device)> Uncached { get; set; } = [];

    /// <summary>Export name of the backing device.</summary>
    public string VolumeName { get; set; } = "weir";

    /// <summary>Where the cache is, for people who find its memory later; null: the device's name.</summary>
    public string? CachePath { get; set; }

    /// <summary>
    /// RAM segments (the seeds' RAM buffers): what may be acknowledged and not yet durable. At least 2. The default is
    /// what a device of 2 GB/s, whose flush takes 6 ms under load, needs to be kept busy.
    /// </summary>
    public int RamSegments { get; set; } = 32;

    /// <summary>
    /// The log is flushed at the latest this long after a write, in microseconds; 0 = only on request.
    /// </summary>
    public long SyncIntervalUs { get; set; } = 1_000_000;

    /// <summary>Segments written back in one batch, 1..32.</summary>
    public int MaxBatchedWriteback { get; set; } = 16;

    /// <summary>Upper bound for how long a flush may wait for company, in microseconds. It never waits.</summary>
    public long BarrierDeadlineUs { get; set; } = 3000;

    /// <summary>Upper bound for the age of the mark, in microseconds; 0 = none. Every batch writes it.</summary>
    public long MarkIntervalUs { get; set; }

    /// <summary>
    /// A drain keeps what it has done this long after it last did, in microseconds, so that an interrupted one goes on
    /// there; 0 (tests): whenever it can, and other write-back too.
    /// </summary>
    public long KeepIntervalUs { get; set; } = 1_000_000;

    /// <summary>Discard and zero ranges the log may hold at a time (R9).</summary>
    public int RangeBudget { get; set; } = 4096;

    /// <summary>
    /// Share of the cache, in percent, that dirty blocks of absent devices may take while others need room (R13).
    /// </summary>
    public int AbsentQuota { get; set; } = 50;

    /// <summary>
    /// Check every block read from the cache device against its checksum; four bytes of RAM more per block. Where the
    /// layout has none, a start reads what is dirty, compares it with the seals of what Weir wrote, and makes some.
    /// </summary>
    public bool VerifyReads { get; set; } = true;

    /// <summary>
    /// Reads of at most this many blocks are kept in the cache, unless they belong to a longer sequential stream; 0: no
    /// read is kept, as in dm-writeboost 2.2.
    /// </summary>
    public int ReadCacheThreshold { get; set; }

    /// <summary>
    /// How long a start looks for blocks that had been written back before an orderly stop, in microseconds: a large
    /// log of short records takes as long as it takes to read all of it.
    /// </summary>
    public long WarmUs { get; set; } = 10_000_000;

    /// <summary>
    /// Writes go to the backing device where the log holds nothing newer, and the cache keeps clean blocks only. They
    /// have no place in the prefix order.
    /// </summary>
    public bool WriteAround { get; set; }

    /// <summary>The same for writes of sequential streams longer than this many blocks; 0: for none.</summary>
    public int BypassSequentialWrites { get; set; }

    /// <summary>
    /// Time in which the log's segments are read once and compared with their checksums, in microseconds; 0: never.
    /// </summary>
    public long ScrubIntervalUs { get; set; }

    /// <summary>
    /// How long writes wait for room in a full cache that cannot be written back, before they fail, in microseconds;
    /// 0: for ever.
    /// </summary>
    public long NoSpaceTimeoutUs { get; set; } = 60_000_000;

    /// <summary>
    /// How long a cache device that refuses records or flushes is tried again before it counts as failed, in
    /// microseconds.
    /// </summary>
    public long CacheRetryUs { get; set; } = 30_000_000;

    /// <summary>A start takes the space of a cache that is a file, once everything is checked (R16).</summary>
    public bool ReservesSpace { get; init; }

    /// <summary>Write nothing anywhere.</summary>
    public bool ReadOnly { get; set; }

    /// <summary>Take the cache although it was bound to another backing device.</summary>
    public bool Rebind { get; set; }

    /// <summary>A backing device that the cache has not met is taken; else it is refused (<c>weir drain</c>).</summary>
    public bool AddsDevices { get; set; } = true;

    /// <summary>The backing device cannot flush and needs none: its writes are durable at once (R14).</summary>
    public bool TrustBackingWrites { get; set; }

    /// <summary>Where ids and secrets come from; seeded in the simulation.</summary>
    public Func<Guid> NewGuid { get; set; } = Guid.NewGuid;

    /// <summary>
    /// Throws when an option is set that the layout cannot heed: where clean blocks cannot be told from outdated ones,
    /// every write is logged (R10).
    /// </summary>
    public void CheckLayout()
    {
        string? key = WriteAround ? "write_around_mode"
            : BypassSequentialWrites != 0 ? "bypass_sequential_writes" : null;
        if (key == null || Layout.HasCleanPosition) return;
        throw new UserErrorException(
            $"{key}: in layout {Layout.Name} every write is logged; expected 0, or layout {Layout.Native.Name}", 2);
    }

    /// <summary>Told of each step of recovery before it runs.</summary>
    internal Action<string, StepKind>? StepBegins { get; set; }

    /// <summary>Told how far recovery has come: of what, how many are done, of how many.</summary>
    public Action<string, long, long>? Progress { get; set; }

    /// <summary>Nobody wants the volume opened any more; asked while devices are looked at.</summary>
    public Func<bool>? StopAsked { get; set; }

    /// <summary>Receives warnings and state changes, one line each, from any thread.</summary>
    public Action<string> Log { get; set; } = static _ => { };
}

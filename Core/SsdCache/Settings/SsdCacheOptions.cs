using System;
using Weir.Core.Caching;
using Weir.Core.Cleaning;
using Weir.Core.Io;
using Weir.Core.SsdCache.Sets;
using Weir.Core.Volumes;

namespace Weir.Core.SsdCache.Settings;

/// <summary>
/// What can be set of a volume, before it is opened or while it is served. The engine reads the values when it needs
/// them. Names and meanings are those of seed 004 where it has them.
/// </summary>
internal sealed class SsdCacheOptions : CleaningSettings
{
    /// <summary>Bytes of a block where the user says none.</summary>
    public const int DefaultBlockBytes = 128 << 10;

    /// <summary>Further sets that are tried where the user says nothing.</summary>
    public const int DefaultAssoc = 4;

    /// <summary>What a volume that is opened begins with.</summary>
    public CacheMode Mode { get; set; } = CacheMode.Writethrough;

    /// <summary>Bytes of a block; 0: as the cache has it, or the default where it is made.</summary>
    public int BlockBytes { get; set; }

    /// <summary>Sets that are tried after a block's own; null: as the cache has it, or the default.</summary>
    public int? Assoc { get; set; }

    /// <summary>Whose way a new block takes.</summary>
    internal Strategy Strategy { get; set; }

    /// <summary>Which blocks that were read come in.</summary>
    internal AdmitRule Admit { get; set; }

    /// <summary>
    /// A request goes home at once where the directory would make it wait: what it would have cached is left out.
    /// </summary>
    public bool AsyncLookup { get; set; }

    /// <summary>
    /// A write that met others at its sectors is cached as any; else it goes home, and the sectors leave (the seed's
    /// default).
    /// </summary>
    public bool QueueBusy { get; set; } = true;

    /// <summary>What was read at home is not brought in.</summary>
    public bool DisableWriteback { get; set; }

    /// <summary>A write to a block that is not there goes home alone.</summary>
    public bool SkipWriteInsert { get; set; }

    /// <summary>A write may take the way of another block; else it takes only those that nobody has.</summary>
    public bool EvictOnWrite { get; set; }

    /// <summary>All memory of the directory is touched at the start.</summary>
    public bool Preload { get; set; }

    /// <summary>Requests in a row that make a stream sequential, so that its blocks stay out; 0: none does.</summary>
    public int SequentialThreshold { get; set; } = SequentialDetector.UsualThreshold;

    /// <summary>
    /// How long a page of the directory is left alone before it is closed in idle time, in microseconds; 0: pages stay
    /// open until the stop.
    /// </summary>
    public long CloseUs { get; set; } = 5_000_000;

    /// <summary>The devices are those of the cache although they look different (B14): what is clean is forgotten.
    /// </summary>
    public bool Rebind { get; set; }

    /// <summary>A start takes the space of a file that is the cache, once everything is checked (R16).</summary>
    public bool ReservesSpace { get; init; }

    /// <summary>Nothing is written, to no device.</summary>
    public bool ReadOnly { get; set; }

    /// <summary>What the volume is called.</summary>
    public string VolumeName { get; set; } = "";

    /// <summary>What clients ask for.</summary>
    public string ExportName { get; set; } = "";

    /// <summary>Where the cache is, for whoever finds its memory; null: the device's name.</summary>
    public string? CachePath { get; set; }

    /// <summary>Tells the directory what it is set to; set by the volume.</summary>
    internal Action? ApplyChoice { get; set; }

    /// <summary>What makes another mode of a volume that is served; set by the volume.</summary>
    internal Action<CacheMode>? ChangeMode { get; set; }

    /// <summary>Makes what serves the backing device alone once the cache has failed; null: nothing does.</summary>
    public Func<Device, IVolume>? Fallback { get; set; }

    /// <summary>Takes one line at a time.</summary>
    public Action<string> Log { get; set; } = static _ => { };

    /// <summary>The wall clock.</summary>
    public TimeProvider Time { get; set; } = TimeProvider.System;
}

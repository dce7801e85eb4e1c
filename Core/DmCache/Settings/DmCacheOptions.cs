using System;
using System.Collections.Concurrent;
using Weir.Core.Caching;
using Weir.Core.Cleaning;
using Weir.Core.Volumes;

namespace Weir.Core.DmCache.Settings;

/// <summary>
/// What can be set of a volume, before it is opened or while it is served. The engine reads the values when it needs
/// them.
/// </summary>
public sealed class DmCacheOptions : CleaningSettings
{
    /// <summary>The seed's: sectors that may be on their way between the devices at a time, 100 MiB.</summary>
    public const long DefaultMigrationThreshold = 204_800;

    /// <summary>The seed's: requests that make a stream sequential, and others that end it.</summary>
    public const int DefaultSequentialThreshold = SequentialDetector.UsualThreshold, DefaultRandomThreshold = 4;

    /// <summary>What a volume that is opened begins with.</summary>
    public CacheMode Mode { get; set; } = CacheMode.Writeback;

    /// <summary>Its policy, by name.</summary>
    public string Policy { get; set; } = "default";

    /// <summary>Bytes of a block; 0: as the metadata have it, or the default where they are made.</summary>
    public long BlockBytes { get; set; }

    /// <summary>Of metadata that are made: 1 or 2.</summary>
    public int MetadataVersion { get; set; } = 2;

    /// <summary>The user has said which version.</summary>
    public bool HasMetadataVersion { get; set; }

    /// <summary>
    /// Sectors that migrations may have under way: one more is begun while it and the others have fewer
    /// (<c>migration_threshold</c>; seed 002, L7152).
    /// </summary>
    public long MigrationThreshold { get; set; } = DefaultMigrationThreshold;

    /// <summary>Bytes a second that promotions may copy while clients are at work; 0: as many as they can.</summary>
    public long MigrationRate { get; set; }

    /// <summary>Requests in a row that make a stream sequential, so that its blocks stay out; 0: none does.</summary>
    public int SequentialThreshold { get; set; } = DefaultSequentialThreshold;

    /// <summary>
    /// Taken and shown as the seed does; streams are told apart here, so other requests do not end one.
    /// </summary>
    public int RandomThreshold { get; set; } = DefaultRandomThreshold;

    /// <summary>What policies are set to, by the seed's names; what is not here is as the policy has it.</summary>
    internal ConcurrentDictionary<string, long> PolicySettings { get; } = new(StringComparer.Ordinal);

    /// <summary>Discards go on to the backing device.</summary>
    public bool DiscardPassdown { get; set; } = true;

    /// <summary>
    /// How long a region of the cache is not written before its marks are taken away in idle time, in microseconds; 0:
    /// they stay until the stop (B1).
    /// </summary>
    public long UnmarkUs { get; set; } = 5_000_000;

    /// <summary>
    /// The devices are those of the metadata although they look different (B14): what is clean is forgotten.
    /// </summary>
    public bool Rebind { get; set; }

    /// <summary>
    /// A start takes the space of files that are the volume's own, once everything is checked (R16).
    /// </summary>
    public bool ReservesSpace { get; init; }

    /// <summary>Nothing is written, to no device.</summary>
    public bool ReadOnly { get; set; }

    /// <summary>What the volume is called.</summary>
    public string VolumeName { get; set; } = "";

    /// <summary>What clients ask for.</summary>
    public string ExportName { get; set; } = "";

    /// <summary>What makes another mode of a volume that is served; set by the volume.</summary>
    internal Action<CacheMode>? ChangeMode { get; set; }

    /// <summary>The same of another policy.</summary>
    internal Action<string>? ChangePolicy { get; set; }

    /// <summary>Tells the policy what it is set to; set by the volume.</summary>
    internal Action? ChangePolicySettings { get; set; }

    /// <summary>Takes one line at a time.</summary>
    public Action<string> Log { get; set; } = static _ => { };

    /// <summary>The wall clock.</summary>
    public TimeProvider Time { get; set; } = TimeProvider.System;

    /// <summary>Where policies draw their lots.</summary>
    public ulong Seed { get; set; } = 1;
}

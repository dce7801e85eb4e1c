using System;

namespace Weir.Core.Writeboost.Tools;

/// <summary>
/// What <c>weir repair</c> does with a segment whose data is damaged: nothing tells which block it is.
/// </summary>
public enum DamagedData
{
    /// <summary>All its blocks count as they are, the damaged one too.</summary>
    Keep,
    /// <summary>None counts: they have older contents.</summary>
    Drop,
}

/// <summary>What <c>weir repair</c> may do.</summary>
public sealed record RepairOptions
{
    /// <summary>Write what was decided; else only say it.</summary>
    public bool Write { get; init; }

    /// <summary>
    /// Give up everything behind this record, because what follows is damaged; null: give up nothing.
    /// </summary>
    public long? DropAfter { get; init; }

    /// <summary>Which cache to rebuild, where the device holds what is left of several; null: the only one.</summary>
    public Guid? CacheId { get; init; }

    /// <summary>
    /// What becomes of damaged segments inside the log, in layouts with one checksum for a segment; null: nothing.
    /// </summary>
    public DamagedData? Damaged { get; init; }

    /// <summary>Only of the segment with this id; null: of all.</summary>
    public long? Segment { get; init; }

    /// <summary>
    /// The last segment that counts as written back, in a layout of the kernel, where what the superblock says is
    /// wrong; null: that.
    /// </summary>
    public long? Mark { get; init; }

    /// <summary>Told how far it has come: of what, how many are done, of how many.</summary>
    public Action<string, long, long>? Progress { get; init; }
}

using System;

namespace Weir.Frontends.Commands;

/// <summary>What <c>weir repair</c> may do.</summary>
/// <param name="Write">Write it; else only say what would be written.</param>
/// <param name="DropAfter">Give up every record behind this one; null: none.</param>
/// <param name="CacheId">Which cache's superblock to rebuild, where there are several; null: the only one.</param>
/// <param name="KeepsDamaged">What becomes of damaged segments of the kernel's layouts: kept or dropped; null: they
/// are only named.</param>
/// <param name="Segment">Only of this one; null: of all.</param>
/// <param name="Mark">The last segment that counts as written back; null: as the superblock says.</param>
internal sealed record RepairSpec(
    bool Write, long? DropAfter, Guid? CacheId, bool? KeepsDamaged, long? Segment, long? Mark);

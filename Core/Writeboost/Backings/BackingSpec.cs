using System.Collections.Generic;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Backings;

/// <summary>A backing device that the user gives.</summary>
/// <param name="Id">Its number in the log; null: the one it had, or the first free one.</param>
/// <param name="Name">Export name.</param>
/// <param name="Device">The opened device; the volume's from now on.</param>
public sealed record BackingSpec(int? Id, string Name, Device Device)
{
    /// <summary>What it holds, compared with what the cache knows; null: not looked at.</summary>
    public ContentEvidence? Evidence { get; init; }

    /// <summary>New samples of it, taken with <see cref="Evidence"/>.</summary>
    public IReadOnlyList<BlockSample> Samples { get; init; } = [];
}

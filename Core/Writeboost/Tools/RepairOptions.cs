using System;

namespace Weir.Core.Writeboost.Tools;

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

    /// <summary>Told how far it has come: of what, how many are done, of how many.</summary>
    public Action<string, long, long>? Progress { get; init; }
}

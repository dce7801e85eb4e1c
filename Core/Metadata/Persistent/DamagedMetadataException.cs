using System;

namespace Weir.Core.Metadata.Persistent;

/// <summary>Metadata that cannot be what was written: which block, used as what, what is wrong with it.</summary>
/// <param name="block">Number of the 4 KiB block.</param>
/// <param name="kind">What it was used as ("btree node").</param>
/// <param name="found">What is there, and what was expected.</param>
internal sealed class DamagedMetadataException(long block, string kind, string found)
    : Exception($"metadata block {block}, as {kind}: {found}")
{
    /// <summary>Number of the 4 KiB block.</summary>
    public long Block { get; } = block;

    /// <summary>What it was used as.</summary>
    public string Kind { get; } = kind;
}

using System;

namespace Weir.Core.DmCache.Format;

/// <summary>
/// Whole, but not metadata that this version can open: another magic number, version or feature. The message names
/// what was found and what was expected.
/// </summary>
internal sealed class RefusedMetadataException(string message) : Exception(message)
{
    /// <summary>There are zeroes where the superblock should be.</summary>
    public bool IsBlank { get; init; }
}

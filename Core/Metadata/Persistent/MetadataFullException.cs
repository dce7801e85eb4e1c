using System;

namespace Weir.Core.Metadata.Persistent;

/// <summary>A change needs more free blocks than there are. A commit sets those free that were replaced.</summary>
/// <param name="blocks">How many there are in all.</param>
internal sealed class MetadataFullException(long blocks)
    : Exception($"the metadata are full: none of their {blocks} blocks of 4 KiB is free for a change");

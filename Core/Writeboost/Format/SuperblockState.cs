namespace Weir.Core.Writeboost.Format;

/// <summary>
/// The superblock of a volume that is open, as it was last written or is about to be. Changed by whoever opens the
/// volume, then on the first queue's thread only.
/// </summary>
/// <param name="found">As it was read.</param>
internal sealed class SuperblockState(in Superblock found)
{
    /// <summary>What the next write makes durable.</summary>
    public Superblock Now = found;
}

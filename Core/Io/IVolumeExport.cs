namespace Weir.Core.Io;

/// <summary>
/// One device of a volume as clients see it. Any thread. Flushes, FUA and zeroes are taken from every one that is not
/// <see cref="ReadOnly"/>; what is where, <see cref="IVolumeQueue.BlockStatus"/> says.
/// </summary>
public interface IVolumeExport
{
    /// <summary>What clients ask for.</summary>
    string Name { get; }

    /// <summary>What <see cref="Request.Device"/> says for it.</summary>
    ushort Device { get; }

    /// <summary>Bytes clients see; may grow. Requests reach to the next multiple of 512 at most.</summary>
    long SizeBytes { get; }

    /// <summary>Changes are refused with EPERM by the frontend.</summary>
    bool ReadOnly { get; }

    /// <summary>Discards do something.</summary>
    bool CanDiscard { get; }

    /// <summary>Write-zeroes is never slower than a write of the same length (NBD_CMD_FLAG_FAST_ZERO).</summary>
    bool CanFastZero { get; }

    /// <summary>Bytes of the requests that it likes best, and multiples of them: a power of two.</summary>
    int PreferredBlockBytes => 4096;

    /// <summary>Bytes that a discard frees at the least, in whole pieces of the device: a power of two.</summary>
    int DiscardGranularityBytes => 4096;
}

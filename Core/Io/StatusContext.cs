namespace Weir.Core.Io;

/// <summary>What <see cref="IVolumeQueue.BlockStatus"/> is asked about.</summary>
public enum StatusContext : byte
{
    /// <summary>What is allocated and what reads as zeroes: NBD's <c>base:allocation</c>.</summary>
    Allocation,
}

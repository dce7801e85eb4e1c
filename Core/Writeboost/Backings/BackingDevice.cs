using Weir.Core.Io;

namespace Weir.Core.Writeboost.Backings;

/// <summary>One backing device of a cache, under the number that the log calls it by.</summary>
/// <param name="id">1 to 254; 0 is nobody's, as in the seeds.</param>
/// <param name="device">The device itself.</param>
public sealed class BackingDevice(int id, Device device)
{
    /// <summary>Its number in log entries and in the index's keys.</summary>
    public int Id { get; } = id;

    /// <summary>What is written back to.</summary>
    public Device Device { get; } = device;

    /// <summary>Bytes that clients see.</summary>
    public long SizeBytes => Device.SizeBytes;
}

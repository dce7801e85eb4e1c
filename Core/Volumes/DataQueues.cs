using Weir.Core.Io;

namespace Weir.Core.Volumes;

/// <summary>The ways of one thread to the devices.</summary>
/// <param name="Io">The thread's context.</param>
/// <param name="Cache">To the places.</param>
/// <param name="Backing">To the homes.</param>
internal sealed record DataQueues(IoContext Io, DeviceQueue Cache, DeviceQueue Backing);

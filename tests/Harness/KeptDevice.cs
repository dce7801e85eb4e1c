using Weir.Core.Devices;
using Weir.Core.Io;

namespace Weir.Tests.Harness;

/// <summary>A device that outlives the volume that disposes of it.</summary>
internal sealed class KeptDevice(Device inner) : WrappedDevice(inner);

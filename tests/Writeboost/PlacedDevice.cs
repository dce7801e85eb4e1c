using System.Collections.Generic;
using Weir.Core.Devices;
using Weir.Core.Io;

namespace Weir.Tests.Writeboost;

/// <summary>A device that has no name but that of the place where it was found.</summary>
internal sealed class PlacedDevice(Device inner, string place) : WrappedDevice(inner)
{
    public override string Identity => place;

    public override IReadOnlyList<string> Identities => [place];
}

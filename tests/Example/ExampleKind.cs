using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Frontends;
using Weir.Frontends.Commands;
using Weir.Frontends.Compose;

namespace Weir.Tests.Example;

/// <summary>What the program has to know of the engine.</summary>
internal sealed class ExampleKind : IEngineKind
{
    private int _blocks = 1024;

    public string Name => "example";

    public IReadOnlyList<DeviceRole> Roles { get; } = [DeviceRole.Backing];

    public void Check(VolumeSpec spec)
    {
        if (spec.Devices.Backings.Count != 1) throw new UserErrorException("example: expected one --backing device", 2);
    }

    public OpenedVolume Open(Opening opening)
    {
        List<Tunable> tunables = [new("blocks", 1, 1 << 20, "blocks kept in RAM", () => _blocks, null)
            { WriteAtStart = value => _blocks = (int)value }];
        opening.SetOptions(tunables);
        BackingArgument backing = opening.Spec.Devices.Backings[0];
        Device device = opening.Backing(backing);
        if (device.LogicalBlockBytes > 512) throw new UserErrorException($"{device.Name}: expected sectors of 512");
        ExampleVolume volume = new(device, backing.Name, _blocks, opening.Spec.ReadOnly);
        return new OpenedVolume(volume, [new OpenedExport(volume, volume)], tunables, opening.Below);
    }
}

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
        ExampleVolume volume = new(opening.Backing(backing), backing.Name, _blocks);
        return new OpenedVolume(volume, [new OpenedExport(volume, volume)], tunables, opening.Below);
    }
}

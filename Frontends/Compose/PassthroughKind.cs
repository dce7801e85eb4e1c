using System.Collections.Generic;
using System.Linq;
using Weir.Core.Base;
using Weir.Core.Passthrough;
using Weir.Frontends.Commands;

namespace Weir.Frontends.Compose;

/// <summary>No cache at all.</summary>
internal sealed class PassthroughKind : IEngineKind
{
    /// <inheritdoc/>
    public string Name => "passthrough";

    /// <inheritdoc/>
    public IReadOnlyList<DeviceRole> Roles { get; } = [DeviceRole.Backing];

    /// <inheritdoc/>
    public void Check(VolumeSpec spec)
    {
        spec.CheckNoMemory();
        if (spec.Devices.Backings.FirstOrDefault(static backing => backing.Id != null) is { } numbered)
            throw new UserErrorException($"--backing {numbered.Id}:{numbered.Name}: {Name} has no cache, and so no "
                + "device numbers", Program.WrongUsage);
    }

    /// <inheritdoc/>
    public OpenedVolume Open(Opening opening)
    {
        opening.SetOptions([]);
        List<OpenedExport> exports = [];
        foreach (BackingArgument backing in opening.Spec.Devices.Backings) exports.Add(ExportOf(backing, opening));
        List<PassthroughVolume> volumes = exports.ConvertAll(static export => (PassthroughVolume)export.Volume);
        return new OpenedVolume(exports[0].Volume, exports, [], opening.Below)
        {
            Commands = PassthroughCommands.Of(volumes),
        };
    }

    /// <summary>A device without cache, whatever the others have.</summary>
    public static OpenedExport ExportOf(BackingArgument backing, Opening opening)
    {
        PassthroughVolume volume = new(opening.Backing(backing), backing.Name, opening.Spec.ReadOnly);
        return new OpenedExport(volume, volume);
    }
}

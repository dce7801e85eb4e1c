using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Frontends.Commands;

namespace Weir.Frontends.Compose;

/// <summary>The block cache on the kernel's metadata.</summary>
internal sealed partial class DmCacheKind : IEngineKind
{
    /// <inheritdoc/>
    public string Name => "dmcache";

    /// <inheritdoc/>
    public IReadOnlyList<DeviceRole> Roles { get; } = [DeviceRole.Cache, DeviceRole.Metadata, DeviceRole.Backing];

    /// <inheritdoc/>
    public IEngineTools Tools => this;

    /// <inheritdoc/>
    public void Check(VolumeSpec spec)
    {
    }

    /// <inheritdoc/>
    public OpenedVolume Open(Opening opening) =>
        throw new UserErrorException($"{Name}: this version looks at its metadata; it does not serve it");
}

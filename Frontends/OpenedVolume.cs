using System;
using System.Collections.Generic;
using System.Linq;
using Weir.Core.Io;

namespace Weir.Frontends;

/// <summary>What clients can ask for.</summary>
/// <param name="Volume">The volume it is part of.</param>
/// <param name="Part">Which part, and its name.</param>
internal sealed record OpenedExport(IVolume Volume, IVolumeExport Part);

/// <summary>A volume and everything below it, opened for one <c>weir serve</c>.</summary>
/// <param name="volume">The engine's volume.</param>
/// <param name="exports">What clients can ask for, the default first; some may have no cache.</param>
/// <param name="tunables">What can be set on it.</param>
/// <param name="below">What it stands on, in the order of disposal.</param>
/// <param name="devices">How devices come and go; null: not at all.</param>
internal sealed class OpenedVolume(
    IVolume volume, IReadOnlyList<OpenedExport> exports, IReadOnlyList<Tunable> tunables,
    IReadOnlyList<IDisposable> below, IDeviceControl? devices = null) : IDisposable
{
    /// <summary>Name of the first export.</summary>
    public string Name => Exports[0].Part.Name;

    /// <summary>The engine's volume.</summary>
    public IVolume Volume { get; } = volume;

    /// <summary>What clients can ask for at the start.</summary>
    public IReadOnlyList<OpenedExport> Exports { get; } = exports;

    /// <summary>How devices come and go, or null.</summary>
    public IDeviceControl? Devices { get; } = devices;

    /// <summary>What <c>--option</c> and <c>weir message</c> can set.</summary>
    public IReadOnlyList<Tunable> Tunables { get; } = tunables;

    /// <inheritdoc/>
    public void Dispose()
    {
        IEnumerable<IVolume> volumes = Exports.Select(static export => export.Volume).Append(Volume).Distinct();
        foreach (IVolume opened in volumes) opened.Dispose();
        foreach (IDisposable part in below) part.Dispose();
    }
}

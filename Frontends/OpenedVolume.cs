using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using Weir.Core.Io;

namespace Weir.Frontends;

/// <summary>What clients can ask for.</summary>
/// <param name="Volume">The volume it is part of.</param>
/// <param name="Part">Which part, and its name.</param>
internal sealed record OpenedExport(IVolume Volume, IVolumeExport Part)
{
    /// <summary>For people and scripts: name, size in bytes, address.</summary>
    public string Describe(IServing serving)
    {
        string size = Part.SizeBytes.ToString(CultureInfo.InvariantCulture);
        return $"{Part.Name} {size} {serving.UriOf(Part.Name)}";
    }
}

/// <summary>A volume and everything below it, opened for one <c>weir serve</c>.</summary>
/// <param name="volume">The engine's volume.</param>
/// <param name="exports">What clients can ask for, the default first; some may have no cache.</param>
/// <param name="tunables">What can be set on it.</param>
/// <param name="below">What it stands on, in the order of disposal.</param>
internal sealed class OpenedVolume(
    IVolume volume, IReadOnlyList<OpenedExport> exports, IReadOnlyList<Tunable> tunables,
    IReadOnlyList<IDisposable> below) : IDisposable
{
    /// <summary>Name of the first export.</summary>
    public string Name => Exports[0].Part.Name;

    /// <summary>The engine's volume.</summary>
    public IVolume Volume { get; } = volume;

    /// <summary>What clients can ask for at the start.</summary>
    public IReadOnlyList<OpenedExport> Exports { get; } = exports;

    /// <summary>What <c>weir message</c> can ask of it.</summary>
    public IReadOnlyList<VolumeCommand> Commands { get; set; } = [];

    /// <summary>Who serves it; null: nobody yet.</summary>
    public IServing? Serving { get; set; }

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

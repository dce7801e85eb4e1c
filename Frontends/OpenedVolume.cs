using System;
using System.Collections.Generic;
using Weir.Core.Io;

namespace Weir.Frontends;

/// <summary>A volume and everything below it, opened for one <c>weir serve</c>.</summary>
/// <param name="name">Export name.</param>
/// <param name="volume">The engine's volume.</param>
/// <param name="tunables">What can be set on it.</param>
/// <param name="below">What it stands on, in the order of disposal.</param>
internal sealed class OpenedVolume(
    string name, IVolume volume, IReadOnlyList<Tunable> tunables, IReadOnlyList<IDisposable> below) : IDisposable
{
    /// <summary>Export name.</summary>
    public string Name { get; } = name;

    /// <summary>The engine's volume.</summary>
    public IVolume Volume { get; } = volume;

    /// <summary>What <c>--option</c> and <c>weir message</c> can set.</summary>
    public IReadOnlyList<Tunable> Tunables { get; } = tunables;

    /// <inheritdoc/>
    public void Dispose()
    {
        Volume.Dispose();
        foreach (IDisposable part in below) part.Dispose();
    }
}

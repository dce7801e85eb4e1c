using System;
using System.Collections.Generic;
using System.IO;

namespace Weir.Frontends.Commands;

/// <summary>How clients reach a volume.</summary>
/// <param name="Listen">Addresses, <c>unix:PATH</c> or <c>tcp:HOST:PORT</c>.</param>
/// <param name="Control">Path of the control socket, or null.</param>
/// <param name="Queues">Queue threads.</param>
/// <param name="Ublk">As a block device, and how; null: over NBD.</param>
internal sealed record ServingSpec(
    IReadOnlyList<string> Listen, string? Control, int Queues, UblkSpec? Ublk = null)
{
    /// <summary>NBD clients served at a time.</summary>
    public int MaxConnections { get; init; } = Nbd.NbdServerOptions.DefaultMaxConnections;

    /// <summary>Bytes for data of NBD requests, beyond the MiB of each connection.</summary>
    public long RequestMemoryBytes { get; init; } = Nbd.NbdServerOptions.DefaultMemoryBytes;

    /// <summary>TCP addresses that other machines reach are taken.</summary>
    public bool Insecure { get; init; }

    /// <summary>A Unix socket in the user's runtime directory, or the temporary one.</summary>
    public static string DefaultAddress(string name)
    {
        string? runtime = Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR");
        return "unix:" + Path.Combine(Directory.Exists(runtime) ? runtime : Path.GetTempPath(), $"weir-{name}.sock");
    }
}

/// <summary>How a volume becomes a block device.</summary>
/// <param name="Recover">Take over the one that a dead server left.</param>
/// <param name="Copy">How data comes and goes: direct, user, buffer, or auto for the best of them.</param>
internal sealed record UblkSpec(bool Recover, string Copy);

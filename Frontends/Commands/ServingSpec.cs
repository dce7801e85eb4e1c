using System;
using System.Collections.Generic;
using System.IO;

namespace Weir.Frontends.Commands;

/// <summary>How clients reach a volume.</summary>
/// <param name="Listen">Addresses, <c>unix:PATH</c> or <c>tcp:HOST:PORT</c>.</param>
/// <param name="Control">Path of the control socket, or null.</param>
/// <param name="Queues">Queue threads.</param>
internal sealed record ServingSpec(IReadOnlyList<string> Listen, string? Control, int Queues)
{
    /// <summary>A Unix socket in the user's runtime directory, or the temporary one.</summary>
    public static string DefaultAddress(string name)
    {
        string? runtime = Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR");
        return "unix:" + Path.Combine(Directory.Exists(runtime) ? runtime : Path.GetTempPath(), $"weir-{name}.sock");
    }
}

using System;
using System.Collections.Generic;
using Weir.Bench.Measuring;

namespace Weir.Bench.Suites;

/// <summary>A program that serves a device over NBD, its caching included.</summary>
/// <param name="Name">In tables.</param>
/// <param name="Start">Starts it on fresh files.</param>
/// <param name="Jobs">What it is asked to do; null: everything.</param>
internal sealed record Peer(string Name, Func<NbdServer> Start, IReadOnlyList<string>? Jobs = null)
{
    /// <summary>It caches, safely: one that users might take instead.</summary>
    public bool IsRival { get; init; }

    /// <summary>A target depends on it: it is measured in every round, others in the first.</summary>
    public bool IsJudged { get; init; }

    /// <summary>Starts the disk that it needs beside it; null: it needs none.</summary>
    public Func<NbdServer>? StartDisk { get; init; }
}

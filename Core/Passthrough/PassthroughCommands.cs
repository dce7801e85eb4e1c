using System;
using System.Collections.Generic;
using Weir.Core.Io;

namespace Weir.Core.Passthrough;

/// <summary>What can be asked of volumes without a cache.</summary>
public static class PassthroughCommands
{
    /// <summary>All of them, to all of <paramref name="volumes"/> at once.</summary>
    public static List<VolumeCommand> Of(IReadOnlyList<PassthroughVolume> volumes) =>
    [
        new("resume", "let flushes count again after one has failed; says what may be lost")
        { Begin = () => BeginResume(volumes) },
    ];

    private static Func<OrderProgress> BeginResume(IReadOnlyList<PassthroughVolume> volumes)
    {
        string lost = "";
        foreach (PassthroughVolume volume in volumes)
        {
            if (volume.FlushLoss is { } loss) lost += lost == "" ? loss : "; " + loss;
            volume.Resume();
        }
        string said = lost == "" ? "done, no flush has failed" : $"done, flushes are asked for again: {lost}";
        return () => OrderProgress.DoneWith(said);
    }
}

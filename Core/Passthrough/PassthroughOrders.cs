using System;
using System.Collections.Generic;
using Weir.Core.Io;

namespace Weir.Core.Passthrough;

/// <summary>What can be asked of volumes without a cache.</summary>
public static class PassthroughOrders
{
    /// <summary>Orders to <paramref name="volumes"/>, all of them at once.</summary>
    public static List<Tunable> To(IReadOnlyList<PassthroughVolume> volumes) =>
    [
        new("resume", 0, 0, "let flushes count again after one has failed; says what may be lost", static () => 0, null)
        { Order = () => Begin(volumes) },
    ];

    private static Func<OrderProgress> Begin(IReadOnlyList<PassthroughVolume> volumes)
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

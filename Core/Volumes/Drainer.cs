using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Core.Volumes;

/// <summary>How far a drain has come.</summary>
/// <param name="DirtyBlocks">Blocks that are not on their backing device yet.</param>
/// <param name="DirtyRanges">Discarded and zeroed ranges likewise.</param>
/// <param name="TotalBlocks">Dirty blocks at the beginning.</param>
/// <param name="HeldUpBy">What is refused now and tried again, for people; null: nothing is.</param>
public readonly record struct DrainProgress(
    long DirtyBlocks, long DirtyRanges, long TotalBlocks, string? HeldUpBy)
{
    /// <summary>What is counted, and why that goes no further.</summary>
    public string Unit => HeldUpBy == null ? "blocks" : $"blocks ({HeldUpBy})";
}

/// <summary>
/// <c>weir drain</c>: writes everything back, offline, with the engine's own write-back, so that every rule of it
/// holds: it can be interrupted or killed at any point and started again. Ends with an orderly stop.
/// </summary>
public sealed class Drainer(IDrainable volume, IoContext io)
{
    private const long TurnUs = 100_000;

    /// <summary>
    /// What is given up if it is lost: ranges as <see cref="IDrainable.CheckGiveUp"/> takes them.
    /// </summary>
    public IReadOnlyList<string> GivesUp { get; init; } = [];

    /// <summary>Everything has been written back but what is lost.</summary>
    public bool HasReachedEnd { get; private set; }

    /// <summary>
    /// Drains until nothing is dirty, <paramref name="stopAsked"/> says so, or the volume is no longer healthy;
    /// <paramref name="progress"/> is told ten times a second, and at the end, if it has come there. Returns 0 when
    /// everything is written back, 1 when not everything is and the rest is safe on the cache device, or the negative
    /// errno of what could not be made durable.
    /// </summary>
    /// <exception cref="UserErrorException">What shall be given up cannot be: nothing was done.</exception>
    public int Run(Func<bool> stopAsked, Action<DrainProgress> progress)
    {
        foreach (string range in GivesUp) volume.CheckGiveUp(range);
        long total = volume.DrainBlocksLeft;
        IVolumeQueue queue = volume.OpenQueue(0, io);
        long end = volume.Drain();
        bool goesOn = true;
        // Where write-back waits at what is lost, it finds more behind that.
        while (goesOn)
        {
            WriteBack(queue, end, stopAsked, () => progress(Progress(total)));
            goesOn = false;
            foreach (string range in GivesUp) goesOn |= GiveUp(queue, range, stopAsked);
        }
        // What is lost stays in the cache: it is nowhere else to be told.
        HasReachedEnd = volume.IsWrittenBack(end);
        bool isDrained = HasReachedEnd && volume.LostBlockCount == 0;
        volume.OutdateClean();
        queue.BeginStop();
        while (!queue.StopStatus.IsOver) Turn(queue);
        // A batch that was called off counts for nothing: what has been shown is not taken back.
        if (HasReachedEnd) progress(Progress(total));
        return queue.StopStatus.Error < 0 ? queue.StopStatus.Error : isDrained ? 0 : 1;
    }

    private void WriteBack(IVolumeQueue queue, long end, Func<bool> stopAsked, Action report)
    {
        long nextUs = 0;
        while (!volume.IsWrittenBack(end) && !volume.Health.MayLast && volume.LostHold == null && !stopAsked())
        {
            Turn(queue);
            if (io.NowUs < nextUs) continue;
            nextUs = io.NowUs + TurnUs;
            report();
        }
    }

    // What is lost is known only now. Where write-back has moved a block before an order came to it, it is given again.
    private bool GiveUp(IVolumeQueue queue, string range, Func<bool> stopAsked)
    {
        bool any = false;
        while (!volume.Health.CacheHasFailed && !stopAsked())
        {
            using IGiveUpOrder? order = volume.BeginGiveUp(range);
            if (order == null) break;
            while (!order.IsDone && !stopAsked()) Turn(queue);
            if (!order.IsDone) return false;
            any |= order.End() > 0;
        }
        return any;
    }

    private DrainProgress Progress(long total) => new(
        volume.DrainBlocksLeft, volume.DirtyRanges, total,
        volume.Hang ?? (volume.Health.State == VolumeState.Retrying ? volume.Health.Reason : null));

    private void Turn(IVolumeQueue queue)
    {
        bool wait = !io.HasCompletions;
        io.Pump(wait, Math.Min(queue.DeadlineUs, io.NowUs + TurnUs));
        io.RunCompletions();
        queue.Poll(io.NowUs);
    }
}

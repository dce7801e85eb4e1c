using System;
using Weir.Core.Base;
using Weir.Core.DmCache.Commit;
using Weir.Core.DmCache.Settings;
using Weir.Core.Volumes;

namespace Weir.Core.DmCache.Volume;

/*
 *   serving -> draining -> flushing -> committing -> suspended -> resuming -> serving
 *                                                    ^       v
 *                                                    growing
 *
 *   a growth alone:
 *   serving -> draining -> committing -> growing -> serving
 */

/// <summary>
/// Carries out suspend and resume, on the first queue's thread. While it is suspended the metadata are those of an
/// orderly stop: marks are the dirty blocks exactly, hints and discards are kept. Before the first request goes on, the
/// durable discards are taken back (B10). Where requests are held for a growth alone the metadata stay those of a
/// volume that is served, so that requests go on whatever becomes of it.
/// </summary>
/// <param name="volume">Whose requests they are.</param>
/// <param name="committer">Its commits.</param>
/// <param name="lastFlush">Flushes both devices.</param>
/// <param name="isAtRest">No migration, write-back or commit is under way.</param>
internal sealed class Suspender(DmCacheVolume volume, Committer committer, LastFlush lastFlush, Func<bool> isAtRest)
    : IBackgroundTask
{
    private readonly Grower _grower = new(volume, committer);
    private LastCommit? _commit;
    private long _ticket;
    private bool _isForGrowth;

    private Suspension Suspension => volume.Suspension;

    private ModeState Mode => volume.Mode;

    private string? Loss => volume.Changes.Failure ?? (volume.Devices.FlushError < 0 ? volume.Health.Reason : null);

    /// <inheritdoc/>
    public long DeadlineUs => MayGoOn ? 0 : long.MaxValue;

    // The committer comes after this one, and nobody is woken when it has noted a loss.
    private bool MayGoOn => Suspension.State switch
    {
        SuspendState.Draining => HasDrained,
        SuspendState.Flushing => lastFlush.HasEnded && isAtRest(),
        _ => false,
    };

    /// <inheritdoc/>
    public void Poll(long nowUs, BackgroundState state)
    {
        SuspendState before;
        do
        {
            before = Suspension.State;
            GoOn();
        }
        while (Suspension.State != before);
    }

    private void GoOn()
    {
        switch (Suspension.State)
        {
            case SuspendState.Serving when Suspension.IsWanted || volume.Growth != null: Hold(); break;
            case SuspendState.Draining when HasDrained: EndDrain(); break;
            case SuspendState.Flushing when IsFlushed && isAtRest(): Commit(); break;
            case SuspendState.Committing when IsCommitted: EndCommit(); break;
            case SuspendState.Suspended when volume.Growth != null: _grower.Begin(volume.Growth); break;
            case SuspendState.Growing when _grower.TryEnd(volume.Growth!): EndGrowing(); break;
            case SuspendState.Suspended when !Suspension.IsWanted && Suspension.Failure == null: BeginResume(); break;
            case SuspendState.Resuming: Resume(); break;
        }
    }

    private bool HasDrained =>
        (volume.HaveAllSeenMode && isAtRest()) || Mutant.Is(DmCacheMutant.SuspendDrainsNothing);

    private void Hold()
    {
        Suspension.Failure = null;
        Mode.Hold(true);
        Suspension.State = SuspendState.Draining;
        volume.Queues.WakeAll();
    }

    // For a growth alone, what is listed is made durable first: the new places have the free metadata blocks then.
    private void EndDrain()
    {
        _isForGrowth = volume.Growth != null && !Suspension.IsWanted;
        if (!_isForGrowth)
        {
            Flush();
            return;
        }
        _ticket = volume.Changes.Urge();
        Suspension.State = SuspendState.Committing;
    }

    private bool IsCommitted => !_isForGrowth ? _commit!.IsOver()
        : volume.Changes.IsDone(_ticket) || volume.Changes.Failure != null;

    private void Flush()
    {
        lastFlush.Begin();
        Suspension.State = SuspendState.Flushing;
    }

    private bool IsFlushed => Mutant.Is(DmCacheMutant.B6SuspendUnflushed) || lastFlush.IsOver();

    private void Commit()
    {
        _commit = new LastCommit(volume, committer);
        _commit.Begin();
        Suspension.State = SuspendState.Committing;
    }

    // What cannot be made durable is no reason to let requests wait.
    private void EndCommit()
    {
        if (Loss is not { } loss)
        {
            if (_isForGrowth) _grower.Begin(volume.Growth!);
            else Suspension.State = SuspendState.Suspended;
            return;
        }
        if (!_isForGrowth) Suspension.GiveUp(loss);
        volume.EndGrowth(loss);
        GoOnServing();
    }

    private void EndGrowing()
    {
        if (_isForGrowth) GoOnServing();
        else Suspension.State = SuspendState.Suspended;
    }

    private void BeginResume()
    {
        committer.IsExact = Mutant.Is(DmCacheMutant.B1ExactAfterResume);
        if (!Mutant.Is(DmCacheMutant.B10DiscardsKeptByResume)) committer.Last = volume.TryForgetDiscards;
        _ticket = volume.Changes.Urge();
        Suspension.State = SuspendState.Resuming;
    }

    // Without that commit a write would go home under a discard that a crash brings back.
    private void Resume()
    {
        if (volume.Changes.IsDone(_ticket)) GoOnServing();
        else if (volume.Changes.Failure is { } failure)
        {
            Suspension.Failure = failure + "; the volume stays suspended: stop it";
            Suspension.State = SuspendState.Suspended;
            volume.Queues.WakeAll();
        }
    }

    private void GoOnServing()
    {
        committer.IsExact &= Mutant.Is(DmCacheMutant.B1ExactAfterResume);
        Suspension.State = SuspendState.Serving;
        Mode.Hold(false);
        volume.Queues.WakeAll();
    }
}

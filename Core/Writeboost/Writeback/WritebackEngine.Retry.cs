using Weir.Core.Base;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Log;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Writeback;

/// <content>
/// What a device refuses is tried again, the whole batch, with growing pauses and without an end: the log still has it
/// all, and errors pass. Writers go on meanwhile while there is room.
/// </content>
internal sealed unsafe partial class WritebackEngine
{
    private RetryClock _retry;
    private int _errorOf;
    private bool _mustMove;

    /// <summary>The error that holds write-back up, an errno; 0: none does.</summary>
    public int HeldUpBy { get; private set; }

    // Nothing is under way. What has been written twice does no harm: the mark has not moved.
    private bool Fail(long nowUs)
    {
        Invariant.Check(_outstanding == 0);
        Invariant.Check(_error < 0);
        _flusher.GiveBack();
        HeldUpBy = -_error;
        string what = _phase switch
        {
            <= Phase.Plan => $"cache device {_cacheName}: reading {NameOfUnread}",
            Phase.Drop => $"cache device {_cacheName}: writing the samples of devices",
            Phase.Mark or Phase.Settle => $"cache device {_cacheName}: writing the superblock",
            // What another's failed flush may have lost of this batch is written again.
            _ when _errorOf == 0 => "a flush of a backing device failed: write-back beside it",
            _ => $"backing device {_devices.NameOf(_errorOf)}: write-back",
        };
        bool isBacking = _phase is > Phase.Drop and < Phase.AwaitDurable && _errorOf != 0;
        if (isBacking) _refusals.RefusedBatch(_errorOf, BatchEnd);
        (_error, _errorOf) = (0, 0);
        _phase = Phase.Pause;
        _keeping = false;
        _retry.Refused(nowUs);
        string reason = $"{what} failed{VolumeHealth.TriedAgain}: {Errno.Text(HeldUpBy)}";
        _health.Hold(Trouble.Writeback, reason);
        if (nowUs - _retry.SinceUs >= RetryClock.BearsUs) _progress.NoteSetback(reason);
        return false;
    }

    private bool StartAgain()
    {
        if (!Mutant.Is(WriteboostMutant.R8RefusedForgotten)) return _isMarkInDoubt ? StartSettle() : StartRead();
        _phase = Phase.Flush;
        return true;
    }

    // A batch is through.
    private void NotePassed()
    {
        _refusals.Heal();
        if (!_retry.IsHeldUp) return;
        _retry.Passed();
        HeldUpBy = 0;
        LetGoOfLost();
        _health.Pass(Trouble.Writeback);
    }

    // Somebody has mended something. What stopped the volume may be over too; else it stops again, and says why.
    private void TryNow()
    {
        _governor.MustTry = true;
        HealthReport report = _health.Now;
        if (_phase != Phase.Stuck || report.State != VolumeState.ReadOnly) return;
        // It was stuck for want of room, which nobody may want now: only a try tells.
        (_phase, _fruitless, _mustMove) = (Phase.Idle, 0, true);
        _health.Reconsider(report);
        _queues.WakeAll();
    }

    // A try that was asked for is over, or nothing is there to be tried.
    private void EndTry()
    {
        if (!_governor.MustTry) return;
        _governor.MustTry = _mustMove = false;
        _resumes.NoteTried();
    }

    private bool GetStuck(string reason)
    {
        _phase = Phase.Stuck;
        _health.Worsen(VolumeState.ReadOnly, reason);
        _queues.WakeAll();
        return false;
    }
}

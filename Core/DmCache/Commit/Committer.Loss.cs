using Weir.Core.Base;
using Weir.Core.Volumes;

namespace Weir.Core.DmCache.Commit;

// What follows when a commit fails, or a flush of the cache device: nothing is committed any more, and the superblock
// says what the next start has to know.
internal sealed unsafe partial class Committer
{
    private bool _hasNotedLoss;
    private Step _afterNote;

    private void FlushFailed(int device, int error)
    {
        _flushError = error;
        DataDevices devices = _parts.Devices;
        devices.FailFlush(device == 0 ? devices.Cache : devices.Backing, error);
    }

    private void Fail(string reason)
    {
        _step = Step.Failed;
        if (_isPrepared) _parts.Metadata.EndCommit(succeeded: false);
        _parts.Changes.Fail(reason);
        _parts.Health.Worsen(VolumeState.ReadOnly, reason + "; nothing is cached, cleaned or taken out of the cache "
            + "any more until the next start, and writes of blocks that would need it fail");
        NoteNeedsCheck();
        _parts.Queues.WakeAll();
    }

    // The metadata are as sound as they were: nothing in them is to be checked.
    private void FailAsBefore(string reason)
    {
        if (!Mutant.Is(DmCacheMutant.B1MarksLostByFailure))
            foreach (Pending pending in _pending) _parts.Map.Table.SetMarks(pending.Group, pending.MarksBefore);
        _parts.Metadata.EndCommit(succeeded: false);
        _isPrepared = false;
        Fail(reason);
    }

    // Once, between commits.
    private bool MustNoteLoss => _parts.Devices.Cache.HasLostFlush && !_hasNotedLoss
        && (_step == Step.Resting || (_step == Step.Failed && !_io.IsBusy))
        && !Mutant.Is(DmCacheMutant.B6LossNotNoted);

    // The next life cannot know: its flushes succeed, and cover nothing of what was lost (B6).
    private void NoteLoss()
    {
        _hasNotedLoss = true;
        _afterNote = _step;
        _step = Step.NotingLoss;
        _io.WriteRoot(_parts.Metadata.SuperblockThatLostFlush);
    }

    private void FlushNote()
    {
        _step = Step.FlushingNote;
        _io.Flush();
    }

    // Where it cannot be written, nothing else can be done.
    private void EndNote() => _step = _afterNote;

    // The metadata are as the last commit that was durable left them; whoever opens them next has to look at them. If
    // that cannot be written either, nothing is lost: marks and entries are still right.
    private void NoteNeedsCheck()
    {
        if (_isPrepared) _io.WriteRoot(_parts.Metadata.SuperblockThatNeedsCheck);
        _isPrepared = false;
    }
}

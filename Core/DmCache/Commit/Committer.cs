using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Errno = Weir.Native.Errno;

namespace Weir.Core.DmCache.Commit;

/*
 *   resting -> applying -> writing -> flushing -> root -> flushing -> resting
 *              reads what  blocks     blocks,             root
 *              it lacks               and data
 */

/// <summary>
/// Brings the durable metadata up to what is true, on the first queue's thread: one commit at a time, for all who have
/// asked before it began (B2, B3, B6).
/// </summary>
/// <remarks>
/// The order. The list of changed groups is taken first. Then every listed group is compared with the metadata, place
/// by place; a place that is filled after that stays fresh, and waits for the next commit. Then the blocks that have
/// changed are flushed, and the devices whose bytes new entries name: one flush where they are one device. The
/// superblock follows when all that is durable; marks and free places when the superblock is. A commit that fails is
/// the last one: the metadata are left as they were, with a note that they are to be checked, unless it was the data
/// that could not be flushed.
/// </remarks>
internal sealed unsafe partial class Committer : IBackgroundTask, IDisposable
{
    /// <summary>Changes that nobody waits for are durable after this: the seed's COMMIT_PERIOD.</summary>
    public const long PeriodUs = 1_000_000;

    private enum Step
    {
        Resting,
        Applying,
        Writing,
        Flushing,
        WritingRoot,
        FlushingRoot,
        NotingLoss,
        FlushingNote,
        Failed,
    }

    private readonly CommitParts _parts;
    private readonly MetadataIo _io;
    private readonly DeviceFlusher _flusher;
    private readonly DeviceQueue _cache;
    private readonly DeviceQueue _backing;
    private Step _step;
    private long _firstChangeUs = -1;
    private bool _isAsked;
    private int _flushError;

    /// <summary>On the thread that owns <paramref name="io"/>, with its ways to the devices.</summary>
    public Committer(CommitParts parts, DeviceQueue metadata, DeviceQueue cache, DeviceQueue backing, IoContext io)
    {
        (_parts, _cache, _backing) = (parts, cache, backing);
        FlushLock ofMetadata = parts.IsOnCache ? parts.Devices.FlushLock : new FlushLock(parts.Queues.WakeFirst);
        // On one device, what was lost may be bytes as well as metadata.
        _io = new MetadataIo(metadata, ofMetadata, io)
        {
            FlushBegins = parts.IsOnCache && !Mutant.Is(DmCacheMutant.B6BlocksFlushedTwice)
                ? () => parts.Devices.Cache.TakeUnflushed() : null,
            FlushFailed = parts.IsOnCache ? error => FlushFailed(0, error) : null,
        };
        _flusher = new DeviceFlusher(parts.Devices.FlushLock, io) { Failed = FlushFailed };
    }

    /// <inheritdoc/>
    public bool IsQuiet => !MustNoteLoss && (_step == Step.Resting || (_step == Step.Failed && !_io.IsBusy));

    /// <inheritdoc/>
    public long DeadlineUs => MustNoteLoss ? 0
        : _step != Step.Resting ? long.MaxValue
        : _isAsked || _parts.Changes.IsUrgent ? 0
        : _firstChangeUs < 0 ? long.MaxValue : _firstChangeUs + PeriodUs;

    /// <summary>The next turn begins a commit, even if nothing is listed: the superblock has changed.</summary>
    public void Ask() => _isAsked = true;

    /// <inheritdoc/>
    public void Poll(long nowUs, BackgroundState state)
    {
        _io.Poll();
        if (MustNoteLoss) NoteLoss();
        if (_step == Step.Resting && IsDue(nowUs)) Begin();
        while (GoOn())
        {
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _io.Dispose();
        _pending.Clear();
    }

    private bool IsDue(long nowUs)
    {
        if (_parts.Changes.IsEmpty && !_parts.Changes.IsUrgent && !_isAsked)
        {
            _firstChangeUs = -1;
            return false;
        }
        if (_firstChangeUs < 0) _firstChangeUs = nowUs;
        return _isAsked || _parts.Changes.IsUrgent || nowUs >= _firstChangeUs + PeriodUs;
    }

    private void Begin()
    {
        _isAsked = false;
        _firstChangeUs = -1;
        Take(_parts.Changes.Begin());
        _flushError = 0;
        _step = Step.Applying;
    }

    // True: another step may follow at once.
    private bool GoOn()
    {
        Step before = _step;
        switch (_step)
        {
            case Step.Applying when !_io.IsBusy: Apply(); break;
            case Step.Writing when !_io.IsBusy: Then(Step.Flushing, "written"); break;
            case Step.Flushing: FlushData(); break;
            case Step.WritingRoot when !_io.IsBusy: Then(Step.FlushingRoot, "written"); break;
            case Step.FlushingRoot when !_io.IsBusy: Then(Step.Resting, "flushed"); break;
            case Step.NotingLoss when !_io.IsBusy: FlushNote(); break;
            case Step.FlushingNote when !_io.IsBusy: EndNote(); break;
        }
        return _step != before;
    }

    // What was begun last has ended.
    private void Then(Step next, string what)
    {
        if (_io.Result < 0)
        {
            Fail($"{_parts.Device.Name}: metadata cannot be {what}: {Errno.Text(_io.Result)}");
            return;
        }
        _step = next;
        if (next == Step.Flushing && !Mutant.Is(DmCacheMutant.B6RootBeforeBlocks)) FlushBlocks();
        else if (next == Step.WritingRoot) _io.WriteRoot(_parts.Metadata.SuperblockToWrite);
        else if (next == Step.FlushingRoot && !Mutant.Is(DmCacheMutant.B6RootUnflushed)) _io.Flush();
        else if (next == Step.Resting) EndOrFail();
    }

    private void FlushBlocks()
    {
        // On one device, the data that are flushed with them too.
        if (_parts.IsOnCache && Mutant.Is(DmCacheMutant.B6FirstFlushLeftOut)) _parts.Devices.Cache.TakeUnflushed();
        else _io.Flush();
    }

    // Of two flushes of one device the system may tell the other alone that the superblock was lost.
    private void EndOrFail()
    {
        if (_parts.IsOnCache && _parts.Devices.FlushError < 0 && !Mutant.Is(DmCacheMutant.B6RootLossUnseen))
            Fail("a flush has failed, and nothing tells what the superblock says");
        else
            End();
    }

    private void End()
    {
        _parts.Counters.Count(_parts.Metadata.WriteCount);
        _parts.Metadata.EndCommit(succeeded: true);
        Publish();
        _parts.Changes.End(_isWhole);
        _parts.Queues.WakeAll();
    }

    private void FlushData()
    {
        // On one device the flush of its blocks is that of its data.
        if (_flusher.IsUnderWay || (_parts.IsOnCache && _io.IsBusy)) return;
        if (_needsFlush && !_flusher.HasLock && !Mutant.Is(DmCacheMutant.B2EntryBeforeFlush))
        {
            if (_flusher.TryTake()) BeginFlush();
            if (_flusher.IsUnderWay || !_flusher.HasLock) return;
        }
        _flusher.GiveBack();
        _needsFlush = false;
        if (_io.IsBusy) return;
        if (_flushError < 0)
            FailAsBefore($"what a commit has written cannot be flushed: {Errno.Text(_flushError)}");
        else if (_parts.Devices.FlushError < 0)
            FailAsBefore("a flush has failed, and nothing tells what is clean");
        else
            Then(Step.WritingRoot, "flushed");
    }

    // Home too: an entry that is clean says that it has the same bytes (B1, B2, B4).
    private void BeginFlush()
    {
        DataDevices devices = _parts.Devices;
        if (devices.Cache.TakeUnflushed()) _flusher.Flush(0, _cache);
        if (!Mutant.Is(DmCacheMutant.B2HomeUnflushed) && devices.Backing.TakeUnflushed()) _flusher.Flush(1, _backing);
    }
}

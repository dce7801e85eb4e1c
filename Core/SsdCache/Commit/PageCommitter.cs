using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Errno = Weir.Native.Errno;

namespace Weir.Core.SsdCache.Commit;

/*
 * A round:
 *
 *   idle -> covering -> writing -> naming -> idle
 *
 *   idle      takes the flush lock, and the snapshots of pages that somebody waits for, or may be closed
 *   covering  flushes what the snapshots name (B2), and home where a flush or a closed page needs it (B4, B6)
 *   writing   each page into the slot that does not have its newest copy
 *   naming    flushes the pages
 */

/// <summary>
/// Makes pages of the directory durable, on the first queue's thread: opens those that somebody wants to change (B1,
/// B9), names dirty sectors for flushes (B6), closes those that nobody has used for a while.
/// </summary>
internal sealed unsafe partial class PageCommitter : IBackgroundTask, IIoHandler, IDisposable
{
    /// <summary>Pages of a round, and tries of a page.</summary>
    public const int MaxPages = 64, MaxAttempts = 3;

    private enum Step : byte
    {
        Idle,
        Covering,
        Writing,
        Naming,
    }

    private struct BatchPage
    {
        public int Page;
        public int Attempts;
        public bool IsOpen;
    }

    private struct PageOp
    {
        public int Index;
    }

    private readonly CommitParts _parts;
    private readonly DataQueues _queues;
    private readonly DeviceFlusher _flusher;
    private readonly ushort _handler;
    private readonly AlignedMemory _buffers;
    private readonly BatchPage[] _batch = new BatchPage[MaxPages];
    private int _count;
    private int _left;
    private Step _step;
    private long _opens;
    private long _flushes;
    private bool _isWhole;
    private int _flushError;
    private int _cursor;
    private int _closeCursor;
    private long _nextCloseUs;

    /// <summary>On the thread of <paramref name="queues"/>.</summary>
    public PageCommitter(CommitParts parts, DataQueues queues)
    {
        (_parts, _queues) = (parts, queues);
        _handler = queues.Io.AddHandler(this);
        _buffers = new AlignedMemory(MaxPages * parts.Geometry.PageBytes);
        _flusher = new DeviceFlusher(parts.Devices.FlushLock, queues.Io) { Failed = FlushFailed, Ended = FlushEnded };
    }

    /// <summary>The volume stops: pages are closed however lately they were used.</summary>
    public bool ClosesAll { get; set; }

    /// <inheritdoc/>
    public bool IsQuiet => _step == Step.Idle && !_flusher.HasLock;

    /// <inheritdoc/>
    public long DeadlineUs => _step != Step.Idle || _parts.Tickets.Failure != null ? long.MaxValue
        : IsAsked ? 0 : _parts.Pages.OpenCount > 0 && CloseUs > 0 ? _nextCloseUs : long.MaxValue;

    private bool IsAsked => _parts.Tickets.AreOpensAsked || _parts.Tickets.AreFlushesAsked || ClosesAll;

    private long CloseUs => _parts.Options.CloseUs;

    private uint NowSecond => (uint)(_queues.Io.NowUs / 1_000_000);

    /// <inheritdoc/>
    public void Poll(long nowUs, BackgroundState state)
    {
        if (_step != Step.Idle || _parts.Tickets.Failure != null) return;
        bool mayClose = MayClose(nowUs);
        if (!IsAsked && !mayClose) return;
        if (_parts.Devices.FlushError < 0) Fail(_parts.Devices.FlushError);
        else if (_flusher.TryTake()) Begin(mayClose);
    }

    /// <inheritdoc/>
    public void Completed(IoOp* op)
    {
        int index = op->Own<PageOp>().Index;
        int result = op->Result;
        _queues.Io.Release(op);
        if (result >= 0) EndPage();
        else if (++_batch[index].Attempts < MaxAttempts) Submit(index);
        else FailPage(result);
    }

    /// <inheritdoc/>
    public void Dispose() => _buffers.Dispose();

    private byte* BufferOf(int index) => _buffers.Pointer + ((long)index * _parts.Geometry.PageBytes);

    // Many pages are several rounds: what is asked is read before the first page is looked at, and ends with the last.
    private void Begin(bool mayClose)
    {
        if (_cursor == 0) (_opens, _flushes) = (_parts.Tickets.OpensAsked, _parts.Tickets.FlushesAsked);
        bool isFlush = _parts.Tickets.AreFlushesAsked;
        _count = 0;
        _isWhole = TakeMarked();
        if (mayClose) TakeIdle();
        _flushError = 0;
        _step = Step.Covering;
        bool mustCover = isFlush || _count > 0;
        if (mustCover && !Mutant.Is(SsdCacheMutant.B2EntryBeforeFlush)) Cover(_parts.Devices.Cache, _queues.Cache);
        if (mustCover && !Mutant.Is(SsdCacheMutant.B6HomeUnflushed)) Cover(_parts.Devices.Backing, _queues.Backing);
        if (!_flusher.IsUnderWay) FlushEnded();
    }

    // Pages that somebody waits for; true: all of them.
    private bool TakeMarked()
    {
        for (int page; (page = _parts.Pages.NextMarked(_cursor)) >= 0; _cursor = page + 1)
        {
            if (_count == MaxPages) return false;
            PageState state = _parts.Pages.BeginSnapshot(page);
            Take(page, isOpen: (state & (PageState.Open | PageState.Wanted)) != 0);
        }
        _cursor = 0;
        return true;
    }

    private void Take(int page, bool isOpen)
    {
        int index = _count++;
        _batch[index] = new BatchPage { Page = page, IsOpen = isOpen };
        PageImage.Fill(BufferOf(index), page, _parts.Table, _parts.Pages, _parts.Geometry, _parts.CacheId,
            _parts.Epoch, isOpen);
    }

    private void Cover(DataDevice device, DeviceQueue queue)
    {
        if (device.TakeUnflushed()) _flusher.Flush(device == _parts.Devices.Cache ? 0 : 1, queue);
    }

    private void FlushFailed(int device, int error)
    {
        _flushError = error;
        bool isCache = device == 0;
        if (isCache && _parts.TryAbandon($"{_parts.Devices.Cache.Name}: a flush failed: {Errno.Text(error)}")) return;
        _parts.Devices.FailFlush(isCache ? _parts.Devices.Cache : _parts.Devices.Backing, error);
    }

    private void FlushEnded()
    {
        if (_flushError < 0) Fail(_flushError);
        else if (_step == Step.Covering) Write();
        else End();
    }

    private void Write()
    {
        _step = Step.Writing;
        // Counted before any is submitted.
        _left = _count;
        for (int i = 0; i < _count; i++) Submit(i);
        if (_count == 0) End();
    }

    private void Submit(int index)
    {
        int page = _batch[index].Page;
        IoOp* op = _queues.Io.Acquire(_handler, IoKind.Write, urgent: true);
        Invariant.Check(op != null);
        op->OffsetBytes = _parts.Geometry.PageOffset(page, _parts.Pages.NextSlotOf(page));
        op->LengthBytes = _parts.Geometry.PageBytes;
        op->Buffer = BufferOf(index);
        op->Own<PageOp>().Index = index;
        _queues.Cache.Submit(op);
    }

    private void EndPage()
    {
        if (--_left > 0) return;
        _step = Step.Naming;
        if (_flushError < 0) Fail(_flushError);
        else if (Mutant.Is(SsdCacheMutant.B6PagesUnflushed)) End();
        else _flusher.Flush(0, _queues.Cache);
    }

    private void FailPage(int error)
    {
        string what = $"{_parts.Devices.Cache.Name}: a page of the directory cannot be written: {Errno.Text(error)}";
        if (_flushError == 0 && !_parts.TryAbandon(what))
            _parts.Health.Worsen(VolumeState.ReadOnly, $"{what}; nothing more is cached until the next start");
        _flushError = error;
        EndPage();
    }

    private void End()
    {
        for (int i = 0; i < _count; i++) EndPage(_batch[i], BufferOf(i));
        _parts.Counters.Count(_count, _parts.Geometry.PageBytes);
        _step = Step.Idle;
        if (_isWhole) _parts.Tickets.EndOpens(_opens);
        if (_isWhole) _parts.Tickets.EndFlushes(_flushes);
        _flusher.GiveBack();
        _parts.Queues.WakeAll();
    }

    private void EndPage(in BatchPage it, byte* image)
    {
        _parts.Pages.NoteCopy(it.Page);
        _parts.Pages.SetOpen(it.Page, it.IsOpen);
        _parts.Pages.EndClose(it.Page);
        _parts.Table.Committed(it.Page, image);
    }

    // What the pages were is what they are, but for those that were to be closed: the device may have got them although
    // it has answered otherwise, and nothing of them may change any more.
    private void Fail(int error)
    {
        bool mayHave = _step is Step.Writing or Step.Naming;
        for (int i = 0; i < _count && _step != Step.Idle; i++)
        {
            if (mayHave && !_batch[i].IsOpen) _parts.Pages.SetOpen(_batch[i].Page, isOpen: false);
            _parts.Pages.EndClose(_batch[i].Page);
        }
        _step = Step.Idle;
        _parts.Tickets.Fail(Errno.Text(error));
        _flusher.GiveBack();
        _parts.Queues.WakeAll();
    }
}

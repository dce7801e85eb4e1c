using System;
using System.Collections.Generic;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Backings;

/// <summary>
/// Keeps the samples of the backing devices true while a volume writes to them (R13): a durable sample is what the
/// device holds, at any moment. Write-back drops those that it is going to change, durably, before it does; what it has
/// written and flushed gives new ones. A write that goes round the log waits until the ones it changes are dropped.
/// </summary>
/// <remarks>
/// Protocol. Everything is changed on the first queue's thread; <see cref="Covers"/> may be asked by any. A block is
/// guarded before it becomes a sample, while the log still holds it dirty, so that no write can go round there; and
/// until the table that names it has been replaced durably. A table that could not be written may be durable, or one
/// copy of it: until one is, those that follow name nothing new, so that what may be durable stays known.
/// </remarks>
internal sealed unsafe class Fingerprints : IDisposable
{
    /// <summary>Blocks of a batch that become samples of their device.</summary>
    private const int CandidateCount = 2;

    /// <summary>
    /// Of a device: what the durable table names, what those written since do, which may be durable, what the next one
    /// will, and the batch's.
    /// </summary>
    private const int GuardCount = CandidatePlace + CandidateCount, CandidatePlace = 3 * DeviceSamples.Count;

    /// <summary>How soon a table that could not be written is tried again for those who wait.</summary>
    private const long RetryUs = 1_000_000;

    /// <summary>How often new samples alone make a table be written: it costs two flushes.</summary>
    private const long NoteIntervalUs = 10_000_000;

    private readonly SampleTable _durable, _tried, _written, _next;
    private readonly ulong[] _guards = new ulong[(BackingTable.MaxId + 1) * GuardCount];
    private readonly uint[] _candidateSums = new uint[(BackingTable.MaxId + 1) * CandidateCount];
    private readonly int[] _turns = new int[BackingTable.MaxId + 1];
    private TableWriter? _writer;
    private SpinLatch _asking;
    private ulong _askedFirst, _askedEnd;
    private bool _isWriting;
    private bool _writesAgain;
    private bool _leavesOut;
    private bool _isPending;
    private SegmentLife? _life;
    private long _noteDueUs;
    private long _retryUs;
    private IoContext? _io;

    /// <summary>Begins with what the last life kept, <paramref name="found"/>.</summary>
    public Fingerprints(Guid cacheId, SampleTable found)
    {
        (_durable, _next) = (new SampleTable(cacheId), new SampleTable(cacheId));
        (_tried, _written) = (new SampleTable(cacheId), new SampleTable(cacheId));
        _durable.CopyFrom(found.Pointer);
        _tried.CopyFrom(found.Pointer);
        _next.CopyFrom(found.Pointer);
        GuardAll();
    }

    /// <summary>What is kept from the next update on.</summary>
    public SampleTable Table => _next;

    /// <summary>An update is under way.</summary>
    public bool IsBusy => _isWriting;

    /// <summary>How the last update ended: 0, or a negative errno.</summary>
    public int Result { get; private set; }

    /// <summary>
    /// Serving begins; on the thread of <paramref name="port"/>. In a layout without epochs every table says what
    /// <paramref name="life"/> does.
    /// </summary>
    public void Serve(DeviceQueue cache, LogPort port, SegmentLife? life) =>
        (_io, _writer, _life) = (port.Io, new TableWriter(cache, port), life);

    /// <summary>When <see cref="Poll"/> has something to do at the latest.</summary>
    public long DeadlineUs => !_isWriting && Result < 0 && Volatile.Read(ref _askedEnd) != 0 ? _retryUs : long.MaxValue;

    /// <summary>
    /// The samples of a device that is not written yet become <paramref name="samples"/>; with
    /// <paramref name="keepsWritten"/> those that were written back stay.
    /// </summary>
    public void Take(int id, long firstPosition, IReadOnlyList<BlockSample> samples, bool keepsWritten)
    {
        ref DeviceSamples kept = ref _next[id];
        if (!keepsWritten) kept = default;
        kept.FirstPosition = firstPosition;
        for (int i = 0; i < DeviceSamples.FoundCount; i++) kept[i] = i < samples.Count ? samples[i] : default;
        Guard(id);
    }

    /// <summary>The device is gone from the device table.</summary>
    public void Forget(int id)
    {
        _next[id] = default;
        Guard(id);
    }

    /// <summary>
    /// A block from <paramref name="first"/> to <paramref name="end"/> (exclusive), all on one device, is a sample:
    /// whoever changes it must let the log do it. Any thread.
    /// </summary>
    public bool Covers(ulong first, ulong end)
    {
        int start = BackingTable.IdOf(first) * GuardCount;
        for (int i = start; i < start + GuardCount; i++)
        {
            ulong key = Volatile.Read(ref _guards[i]);
            if (key >= first && key < end) return true;
        }
        return false;
    }

    /// <summary>
    /// As <see cref="Covers"/>, for a write that wants to go round the log: true, and it has to ask again later, until
    /// the samples it changes are dropped. What is going to be a sample is dirty in the log: false. Any thread.
    /// </summary>
    /// <param name="first">The first block it changes.</param>
    /// <param name="end">The first behind it.</param>
    /// <param name="isNew">Nobody had asked: the first queue's thread is to hear of it.</param>
    public bool MustWait(ulong first, ulong end, out bool isNew)
    {
        isNew = false;
        int start = BackingTable.IdOf(first) * GuardCount;
        bool meets = false;
        for (int i = start; i < start + CandidatePlace && !meets; i++)
        {
            ulong key = Volatile.Read(ref _guards[i]);
            meets = key >= first && key < end;
        }
        if (!meets) return false;
        _asking.Enter();
        isNew = _askedEnd == 0;
        if (isNew) (_askedFirst, _askedEnd) = (first, end);
        _asking.Exit();
        return true;
    }

    /// <summary>
    /// <paramref name="batch"/> is going to be written. False: it changes no durable sample. Else an update without
    /// those that it changes has begun: nothing may be written before it has ended well.
    /// </summary>
    public bool BeginBatch(IWriteSet batch, BackingTable backings)
    {
        bool changes = false;
        for (int id = BackingTable.MinId; id <= BackingTable.MaxId; id++)
        {
            for (int i = 0; i < CandidateCount; i++) SetGuard(id, CandidatePlace + i, 0);
            if (backings.Find(id) is not { IsAbsent: false }) continue;
            bool drops = false;
            for (int i = 0; i < DeviceSamples.Count; i++)
            {
                changes |= IsChanged(batch, id, _durable[id][i]) || IsChanged(batch, id, _tried[id][i]);
                if (!IsChanged(batch, id, _next[id][i])) continue;
                _next[id][i] = default;
                drops = true;
            }
            if (drops) Guard(id);
        }
        Choose(batch, backings);
        if (!changes || Mutant.Is(WriteboostMutant.R13SampleKept)) return false;
        BeginWrite();
        return true;
    }

    /// <summary>
    /// The batch is on the devices, flushed, and the mark behind it. True: an update with its samples has begun.
    /// </summary>
    public bool EndBatch(long nowUs)
    {
        for (int id = BackingTable.MinId; id <= BackingTable.MaxId; id++)
            for (int i = 0; i < CandidateCount; i++)
                if (_guards[(id * GuardCount) + CandidatePlace + i] is > 0 and ulong key)
                    Accept(id, i, key);
        bool isDue = _life?.IsDue(_durable) == true;
        if (!isDue && (!_isPending || nowUs < _noteDueUs)) return false;
        _noteDueUs = nowUs + NoteIntervalUs;
        BeginWrite();
        return true;
    }

    /// <summary>Starts an update, or another one behind that which is under way.</summary>
    public void BeginWrite()
    {
        _writesAgain = _isWriting;
        if (_isWriting) return;
        _isWriting = true;
        _isPending = false;
        _life?.Describe(_next);
        _written.CopyFrom(_next.Pointer);
        _leavesOut = Result < 0 && LeaveOutNew();
        if (Result >= 0) _tried.CopyFrom(_written.Pointer);
        GuardAll();
        _writer!.Begin(_written);
        _next.Generation = _written.Generation;
    }

    // True: something was left out, and is written when a table has been.
    private bool LeaveOutNew()
    {
        bool any = false;
        for (int id = BackingTable.MinId; id <= BackingTable.MaxId; id++)
            for (int i = 0; i < DeviceSamples.Count; i++)
            {
                ref BlockSample sample = ref _written[id][i];
                if (sample.Kind == SampleKind.None) continue;
                if (sample.IsSame(_tried[id][i]) || sample.IsSame(_durable[id][i])) continue;
                sample = default;
                any = true;
            }
        return any;
    }

    /// <summary>Once per turn. True when an update has ended: who waits for one may look.</summary>
    public bool Poll()
    {
        if (_isWriting) _writer!.Poll();
        bool ends = _isWriting && !_writer!.IsBusy;
        if (ends) EndWrite();
        DropAsked();
        return ends;
    }

    /// <summary>All that is known is durable; begins an update otherwise. For an orderly stop.</summary>
    public bool Settle()
    {
        if (_isPending && !_isWriting) BeginWrite();
        return !_isWriting;
    }

    /// <summary>
    /// Nobody writes to the devices any more: the next start is to know when somebody else does. <see cref="Settle"/>
    /// makes it durable, unless <see cref="Result"/> says otherwise.
    /// </summary>
    public void Stamp(IEnumerable<BackingDevice> backings)
    {
        // What was refused before is tried once more; how far the log has come is always news.
        _isPending |= Result < 0 || _life != null;
        foreach (BackingDevice backing in backings)
        {
            if (backing.IsAbsent) continue;
            ulong stamp = backing.Device.ChangeStamp;
            _isPending |= _next[backing.Id].ChangeStamp != stamp;
            _next[backing.Id].ChangeStamp = stamp;
        }
    }

    /// <summary>Written by others: <see cref="Table"/> is what the device has.</summary>
    public void NoteDurable()
    {
        _written.CopyFrom(_next.Pointer);
        KeepWritten();
    }

    private void EndWrite()
    {
        _isWriting = false;
        Result = _writer!.Result;
        _retryUs = _io!.NowUs + RetryUs;
        // It may be there in part: what it names stays guarded, and counts as durable for whoever changes it.
        if (Result < 0) return;
        KeepWritten();
        if (_writesAgain || _leavesOut) BeginWrite();
    }

    // While a table is on its way the question stands: asked anew at every turn, it would let no thread sleep.
    private void DropAsked()
    {
        if (_isWriting || Volatile.Read(ref _askedEnd) == 0 || (Result < 0 && _io!.NowUs < _retryUs)) return;
        _asking.Enter();
        (ulong first, ulong end) = (_askedFirst, _askedEnd);
        _askedEnd = 0;
        _asking.Exit();
        if (!Covers(first, end)) return;
        int id = BackingTable.IdOf(first);
        for (int i = 0; i < DeviceSamples.Count; i++)
            if (KeyOf(id, _next[id][i]) is ulong key && key >= first && key < end) _next[id][i] = default;
        Guard(id);
        BeginWrite();
    }

    private void KeepWritten()
    {
        _durable.CopyFrom(_written.Pointer);
        _tried.CopyFrom(_written.Pointer);
        GuardAll();
    }

    private void GuardAll()
    {
        for (int id = BackingTable.MinId; id <= BackingTable.MaxId; id++) Guard(id);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _durable.Dispose();
        _tried.Dispose();
        _written.Dispose();
        _next.Dispose();
        _writer?.Dispose();
    }

    private void Accept(int id, int candidate, ulong key)
    {
        int place = DeviceSamples.FoundCount + (_turns[id]++ & (DeviceSamples.Count - DeviceSamples.FoundCount - 1));
        _next[id][place] = new BlockSample
        {
            Block = BackingTable.OffsetOf(key) >> Geometry.BlockShift,
            Sum = _candidateSums[(id * CandidateCount) + candidate],
            Kind = SampleKind.Content,
        };
        Guard(id);
        SetGuard(id, CandidatePlace + candidate, 0);
        _isPending = true;
    }

    private static bool IsChanged(IWriteSet batch, int id, in BlockSample sample) =>
        sample.Kind != SampleKind.None && batch.Changes(BackingTable.KeyOf(id, sample.Block << Geometry.BlockShift));

    // Of each device's blocks, which are sorted, one of the middle and the last.
    private void Choose(IWriteSet batch, BackingTable backings)
    {
        ReadOnlySpan<DirtyBlock> blocks = batch.Sorted;
        for (int first = 0; first < blocks.Length;)
        {
            int id = BackingTable.IdOf(blocks[first].Key);
            int end = first + 1;
            while (end < blocks.Length && BackingTable.IdOf(blocks[end].Key) == id) end++;
            if (backings.Find(id) is { IsAbsent: false })
            {
                int middle = (first + end) / 2;
                Choose(batch, blocks[middle], 0);
                if (end - 1 != middle) Choose(batch, blocks[end - 1], 1);
            }
            first = end;
        }
    }

    private void Choose(IWriteSet batch, in DirtyBlock block, int candidate)
    {
        int id = BackingTable.IdOf(block.Key);
        if (block.Sectors != SectorMask.Full) return;
        BlockSample sample = ContentEvidence.SampleOf(0, batch.Data(block.BatchSlot));
        if (sample.Kind != SampleKind.Content) return;
        _candidateSums[(id * CandidateCount) + candidate] = sample.Sum;
        SetGuard(id, CandidatePlace + candidate, block.Key);
    }

    // In this order: what moves from the next table to the one that is written, and on, is never without.
    private void Guard(int id)
    {
        Guard(id, 0, _durable[id]);
        Guard(id, DeviceSamples.Count, _tried[id]);
        Guard(id, 2 * DeviceSamples.Count, _next[id]);
    }

    private void Guard(int id, int place, DeviceSamples samples)
    {
        for (int i = 0; i < DeviceSamples.Count; i++) SetGuard(id, place + i, KeyOf(id, samples[i]));
    }

    private static ulong KeyOf(int id, in BlockSample sample) =>
        sample.Kind == SampleKind.None ? 0 : BackingTable.KeyOf(id, sample.Block << Geometry.BlockShift);

    private void SetGuard(int id, int place, ulong key) => Volatile.Write(ref _guards[(id * GuardCount) + place], key);
}

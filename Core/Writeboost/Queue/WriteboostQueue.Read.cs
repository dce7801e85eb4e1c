using System;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Queue;

/// <content>
/// Reads: block by block, the newest version of each sector from RAM, cache, zero range or backing device. Neighbours
/// from the same place become one device read. Where a block has several sources, or a run from the backing device
/// goes over it, bounce blocks are laid over the request's bytes when everything below has been read.
/// </content>
internal sealed unsafe partial class WriteboostQueue
{
    private const byte DirectStep = 1, BounceStep = 2;

    /// <summary>
    /// Operations that one block and the run before it can need: eight versions, the base, the run, to spare.
    /// </summary>
    private const int OpsPerBlock = 12;

    /// <summary>A request begun again this often for rot finds new rot every time: the device is beyond help.</summary>
    private const int MaxRereads = 64;

    // Flags in a read's ReadState, and the count of its repetitions above them.
    private const int StageFlag = 1, RereadFlag = 2, SinglyFlag = 4, RereadUnit = 8;

    // At least one whole merge, enough that a few more can be under way.
    private const int OverlayBlocks = 128;

    private readonly OverlayPool _overlays = new(OverlayBlocks, Geometry.BlockBytes);
    private ReadRun _run;
    private long _granuleSample;
    private long _rangeSample;

    private void SubmitRead(Request* request)
    {
        if (IsToBeStaged(request)) Own(request)->ReadState = StageFlag;
        if (!_parkedReads.IsEmpty || !TryRead(request)) _parkedReads.Add(request);
        else if (Own(request)->Pending == 0) EndRead(request);
    }

    private void RetryReads()
    {
        while (!_parkedReads.IsEmpty)
        {
            if (!TryRead(_parkedReads.First)) return;
            Request* request = _parkedReads.Take();
            if (Own(request)->Pending == 0) EndRead(request);
        }
    }

    // True when every block's reading has begun. Completions run later, so Pending is still exact afterwards.
    private bool TryRead(Request* request)
    {
        Invariant.Check(_run.LengthBytes == 0);
        _readers.Enter(_index);
        while (Own(request)->Progress < request->LengthBytes && HasRoom()) ReadBlock(request);
        SubmitRun(request);
        _readers.Exit(_index);
        return Own(request)->Progress == request->LengthBytes;
    }

    private bool HasRoom() =>
        _io.FreeCount > IoContext.Reserve + OpsPerBlock && _overlays.FreeCount > BlockIndex.MaxVersions + 1;

    private void ReadBlock(Request* request)
    {
        long offset = request->OffsetBytes + Own(request)->Progress;
        int within = (int)(offset & (Geometry.BlockBytes - 1));
        int length = (int)Math.Min(Geometry.BlockBytes - within, request->LengthBytes - Own(request)->Progress);
        BlockVersion* versions = stackalloc BlockVersion[BlockIndex.MaxVersions];
        ulong key = KeyOf(request, offset);
        bool mayStage = (Own(request)->ReadState & StageFlag) != 0;
        // Both samples before both look-ups: a change between them is missed by the one and shows in the other (R10).
        if (!Mutant.Is(WriteboostMutant.R10RangesSampledLate)) _rangeSample = _changes.SampleRanges();
        _granuleSample = mayStage ? _changes.SampleGranule(key) : StripedVersions.Busy;
        Interleaving.Step();
        // Ranges before versions: write-back forgets in the opposite order (Reclaimer.Forget).
        long zeroPosition = _ranges.PositionOver(key);
        if (_health.CacheHasFailed && zeroPosition < _log.DirtyPosition) zeroPosition = 0;
        if (Mutant.Is(WriteboostMutant.R9OlderBeatsRange)) zeroPosition = Math.Min(zeroPosition, 1);
        Interleaving.Step();
        int count = _blocks.Lookup(key, versions);
        Interleaving.Step();
        _counters.CountPiece(false, Found(versions, count, zeroPosition), length == Geometry.BlockBytes);
        if (count != 0 || zeroPosition != 0) _granuleSample = StripedVersions.Busy;
        BlockRead read = new()
        {
            Target = request->Data + Own(request)->Progress - within,
            Offset = offset - within,
            Key = key,
        };
        byte rest = Shares(request, ref read, versions, ref count, zeroPosition, SectorMask.Of(within, length));
        if (zeroPosition != 0) read.Zero |= rest; else read.Backing |= rest;
        _counters.CountRead(versions, count, read.Backing != 0);
        Gather(request, read, versions, count);
        Own(request)->Progress += length;
    }

    private static FoundIn Found(BlockVersion* versions, int count, long zeroPosition) =>
        count > 0 && versions[0].Ram >= 0 ? FoundIn.Ram
            : count > 0 || zeroPosition != 0 ? FoundIn.Cache : FoundIn.Nothing;

    // Leaves in each version's Sectors its share of the needed ones, drops those without; returns what none has. What
    // is rotten comes from the backing device if that has it (R5).
    private byte Shares(
        Request* request, ref BlockRead read, BlockVersion* versions, ref int count, long zeroPosition, byte needed)
    {
        int kept = 0;
        for (int i = 0; i < count; i++)
        {
            BlockVersion version = versions[i];
            version.Sectors &= needed;
            if (version.Sectors == 0 || version.Position < zeroPosition)
            {
                Unpin(version, 1);
                continue;
            }
            needed &= (byte)~version.Sectors;
            bool elsewhere = IsElsewhere(version);
            if (!elsewhere && (!version.Rotten || version.Unread))
            {
                versions[kept++] = version;
                continue;
            }
            if (elsewhere) read.Backing |= version.Sectors; else request->Result = -Errno.EIO;
            Unpin(version, 1);
        }
        count = kept;
        return needed;
    }

    // The cache device has failed, or the block is rotten there: what the backing device has too is read there.
    private bool IsElsewhere(in BlockVersion version) =>
        version.Clean && (version.Rotten || (version.Ram < 0 && _health.CacheHasFailed));

    private void Gather(Request* request, in BlockRead read, BlockVersion* versions, int count)
    {
        bool below = read.Backing != 0 || (count > 0 && _run.TryGoOver(read.Offset, read.Target, Geometry.BlockBytes));
        bool alone = count == 1 && read.Zero == 0 && !below;
        for (int i = 0; i < count; i++)
        {
            ref BlockVersion version = ref versions[i];
            if (version.Ram >= 0)
                CopyFromRam(below ? _overlays.Take(ref Own(request)->Overlays, read.Target, version.Sectors)
                    : read.Target, version);
            else if (alone)
                ExtendRun(request, read, Geometry.OffsetOfPhysical(version.Slot), SegmentOf(version));
            else ReadBounced(request, read, version);
        }
        if (read.Zero != 0)
            SectorMask.Clear(below ? _overlays.Take(ref Own(request)->Overlays, read.Target, read.Zero)
                : read.Target, read.Zero);
        if (read.Backing != 0) ExtendRun(request, read, read.Offset, ReadRun.Home);
    }

    private void CopyFromRam(byte* target, in BlockVersion version)
    {
        int slot = (int)version.Slot & (_geometry.SlotsPerSegment - 1);
        SectorMask.Copy(target, _log.Ram.Data(version.Ram, slot), version.Sectors);
    }

    private int SegmentOf(in BlockVersion version) => (int)(version.Slot >> _geometry.SlotShift);

    private void Unpin(in BlockVersion version, int count)
    {
        if (version.Ram < 0) _log.Table.Unpin(SegmentOf(version), count);
    }

    private void ExtendRun(Request* request, in BlockRead read, long offset, int source)
    {
        bool isSingle = source != ReadRun.Home && (Own(request)->ReadState & SinglyFlag) != 0;
        if (isSingle || !_run.TryExtend(source, offset, read.Target, Geometry.BlockBytes))
        {
            SubmitRun(request);
            _run = new ReadRun(source, offset, read.Target, Geometry.BlockBytes);
            if (Mutant.Is(WriteboostMutant.R10RangesSampledLate)) _rangeSample = _changes.SampleRanges();
            if (source == ReadRun.Home) _run.Sample = StripedVersions.Sum(_rangeSample, _granuleSample);
        }
        else if (_granuleSample == StripedVersions.Busy || StripedVersions.IsGranuleStart(read.Key))
        {
            _run.Sample = StripedVersions.Sum(_run.Sample, _granuleSample);
        }
    }

    private void SubmitRun(Request* request)
    {
        if (_run.LengthBytes == 0) return;
        bool fromCache = _run.Source != ReadRun.Home;
        IoOp* op = Start(request, DirectStep, fromCache, _run.OffsetBytes, _run.Target, _run.LengthBytes);
        int blocks = (int)(_run.LengthBytes >> Geometry.BlockShift);
        op->Own<ReadOp>() = new ReadOp { Source = _run.Source, Blocks = blocks, Sample = _run.Sample };
        if (MayZeroCopy(op)) TryZeroCopy(op);
        SubmitOp(op);
        _run = default;
    }

    private void ReadBounced(Request* request, in BlockRead read, in BlockVersion version)
    {
        byte* bounce = _overlays.Take(ref Own(request)->Overlays, read.Target, version.Sectors);
        long offset = Geometry.OffsetOfPhysical(version.Slot);
        IoOp* op = Start(request, BounceStep, true, offset, bounce, Geometry.BlockBytes);
        op->Own<ReadOp>() = new ReadOp { Source = SegmentOf(version), Blocks = 1 };
        SubmitOp(op);
    }

    private IoOp* Start(Request* request, byte step, bool fromCache, long offset, byte* target, long length)
    {
        IoOp* op = _io.Acquire(_handler, IoKind.Read);
        Invariant.Check(op != null);
        op->Step = step;
        op->OffsetBytes = offset;
        op->LengthBytes = fromCache ? length : Math.Min(length, SizeOf(request) - offset);
        op->Buffer = target;
        op->Request = request;
        Own(request)->Pending++;
        return op;
    }

    private static bool IsFromCache(IoOp* op) => op->Own<ReadOp>().Source != ReadRun.Home;

    private void SubmitOp(IoOp* op) => DeviceOf(op).Submit(op);

    private DeviceQueue DeviceOf(IoOp* op) => IsFromCache(op) ? _cache : _backings[IdOf(op->Request)];

    // Nobody looks at its bytes, and nothing is laid over them: not to be staged, not to be compared with a checksum.
    private bool MayZeroCopy(IoOp* op)
    {
        bool isStaged = op->Own<ReadOp>().Sample != StripedVersions.Busy;
        bool isSeen = IsFromCache(op) ? _blocks.KeepsChecksums : isStaged;
        return !isSeen && Own(op->Request)->Overlays == 0 && Own(op->Request)->Pending == 1;
    }

    private void TryZeroCopy(IoOp* op)
    {
        Request.TryZeroCopy(op, DeviceOf(op));
        if (IsFromCache(op) && op->Request->IsZeroCopied) _counters.Add(QueueCounters.HandedOn, 1);
    }

    /// <inheritdoc/>
    public void Completed(IoOp* op)
    {
        if (op->Step == AroundStep)
        {
            EndAround(op);
            return;
        }
        Request* request = op->Request;
        if (op->Result < 0 && ++op->Attempts < LogPort.MaxAttempts)
        {
            _ = Request.FallBackToMemory(op);
            SubmitOp(op);
            return;
        }
        if (op->Result < 0) EndFailed(op);
        else if (!IsIntact(op)) Own(request)->ReadState |= RereadFlag;
        else if (!IsFromCache(op) && op->Own<ReadOp>().Sample != StripedVersions.Busy) Stage(op);
        if (IsFromCache(op)) _log.Table.Unpin(op->Own<ReadOp>().Source, op->Own<ReadOp>().Blocks);
        _io.Release(op);
        Invariant.Check(Own(request)->Pending > 0);
        if (--Own(request)->Pending == 0) EndRead(request);
    }

    // Nothing of it is under way. What is left of a parked one goes on later.
    private void EndRead(Request* request)
    {
        Invariant.Check(Own(request)->Pending == 0);
        bool good = request->Result == 0 && (Own(request)->ReadState & RereadFlag) == 0;
        _overlays.End(ref Own(request)->Overlays, good);
        if (Own(request)->Progress < request->LengthBytes) return;
        if (request->Result != 0 || good) Complete(request, 0);
        else ReadAgain(request);
    }

    // What was found rotten is not read any more: from the backing device, or an error.
    private void ReadAgain(Request* request)
    {
        _counters.Add(QueueCounters.Reread, 1);
        Own(request)->ReadState = (Own(request)->ReadState & ~RereadFlag) + RereadUnit;
        if (Own(request)->ReadState >= MaxRereads * RereadUnit)
        {
            Complete(request, -Errno.EIO);
            return;
        }
        Invariant.Check(Own(request)->Overlays == 0);
        Own(request)->Progress = 0;
        request->IsZeroCopied = false;
        _parkedReads.Add(request);
    }

    // Of several blocks, which one it is: that is asked before any is passed over.
    private void EndFailed(IoOp* op)
    {
        bool isOne = !IsFromCache(op) || op->Own<ReadOp>().Blocks == 1 || _health.CacheHasFailed;
        if (!isOne) Own(op->Request)->ReadState |= RereadFlag | SinglyFlag;
        else if (TryPassOver(op)) Own(op->Request)->ReadState |= RereadFlag;
        else op->Request->Result = -Errno.EIO;
    }

    // What the cache device does not give comes from the backing device where that has it.
    private bool TryPassOver(IoOp* op)
    {
        bool any = false;
        uint slot = (uint)((op->OffsetBytes - Geometry.SuperblockRegionBytes) >> Geometry.BlockShift);
        for (long done = 0; IsFromCache(op) && done < op->LengthBytes; done += Geometry.BlockBytes, slot++)
            any |= _rot.PassOver(slot);
        return any;
    }

    // Every block of the read is looked at, so that each rotten one is known from now on.
    private bool IsIntact(IoOp* op)
    {
        if (!IsFromCache(op)) return true;
        if (!_blocks.KeepsChecksums) _counters.Add(QueueCounters.Unverified, op->Own<ReadOp>().Blocks);
        bool isSeen = _blocks.KeepsChecksums && !Mutant.Is(WriteboostMutant.R5RottenServed);
        if (!isSeen && !_blocks.HasUnread) return true;
        bool intact = true;
        uint slot = (uint)((op->OffsetBytes - Geometry.SuperblockRegionBytes) >> Geometry.BlockShift);
        for (long done = 0; done < op->LengthBytes; done += Geometry.BlockBytes, slot++)
        {
            if (!isSeen || _blocks.IsIntact(slot, (byte*)op->Buffer + done))
            {
                _blocks.MarkRead(slot);
                continue;
            }
            _rot.Report(slot);
            intact = false;
        }
        return intact;
    }

    // One block of a read: where it goes, and which sectors come from where below the versions.
    private ref struct BlockRead
    {
        public byte* Target;
        public long Offset;
        public ulong Key;
        public byte Backing;
        public byte Zero;
    }
}

using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Queue;

/// <content>
/// Reads: block by block, the newest version of each sector from RAM, cache, zero range or backing device. Neighbours
/// from the same place become one device read; a block with several sources is put together from bounce blocks.
/// </content>
public sealed unsafe partial class WriteboostQueue
{
    private const byte DirectStep = 1, BounceStep = 2;

    /// <summary>
    /// Operations that one block and the run before it can need: eight versions, the base, the run, to spare.
    /// </summary>
    private const int OpsPerBlock = 12;

    private readonly BouncePool _bounces = new();
    private ReadRun _run;

    private void SubmitRead(Request* request)
    {
        if (!_parkedReads.IsEmpty || !TryRead(request)) _parkedReads.Add(request);
        else if (request->Pending == 0) Complete(request, 0);
    }

    private void RetryReads()
    {
        while (!_parkedReads.IsEmpty)
        {
            if (!TryRead(_parkedReads.First)) return;
            Request* request = _parkedReads.Take();
            if (request->Pending == 0) Complete(request, 0);
        }
    }

    // True when every block's reading has begun. Completions run later, so Pending is still exact afterwards.
    private bool TryRead(Request* request)
    {
        _volume.Gate.Enter(_index);
        while (request->Progress < request->LengthBytes && HasRoom()) ReadBlock(request);
        SubmitRun(request);
        _volume.Gate.Exit(_index);
        return request->Progress == request->LengthBytes;
    }

    private bool HasRoom() =>
        _io.FreeCount > IoContext.Reserve + OpsPerBlock && _bounces.FreeCount > BlockIndex.MaxVersions;

    private void ReadBlock(Request* request)
    {
        long offset = request->OffsetBytes + request->Progress;
        int within = (int)(offset & (Geometry.BlockBytes - 1));
        int length = (int)Math.Min(Geometry.BlockBytes - within, request->LengthBytes - request->Progress);
        byte* target = request->Data + request->Progress - within;
        BlockVersion* versions = stackalloc BlockVersion[BlockIndex.MaxVersions];
        ulong key = KeyOf(request, offset);
        // Ranges before versions: write-back forgets in the opposite order (Reclaimer.Forget).
        long zeroPosition = _volume.Ranges.PositionOver(key);
        if (_volume.Health.CacheHasFailed && zeroPosition < _volume.Log.DirtyPosition) zeroPosition = 0;
        if (Mutant.Is(MutantId.R9OlderBeatsRange)) zeroPosition = Math.Min(zeroPosition, 1);
        Interleaving.Step();
        int count = _volume.Index.Lookup(key, versions);
        Interleaving.Step();
        byte needed = SectorMask.Of(within, length);
        byte rest = Shares(versions, ref count, zeroPosition, needed);
        Gather(request, target, offset - within, versions, count, rest, zeroPosition != 0);
        request->Progress += length;
    }

    // Leaves in each version's Sectors its share of the needed ones, drops those without; returns what none has.
    private byte Shares(BlockVersion* versions, ref int count, long zeroPosition, byte needed)
    {
        int kept = 0;
        for (int i = 0; i < count; i++)
        {
            BlockVersion version = versions[i];
            version.Sectors &= needed;
            if (version.Sectors == 0 || version.Position < zeroPosition || IsOnlyACopy(version))
            {
                Unpin(version, 1);
                continue;
            }
            needed &= (byte)~version.Sectors;
            versions[kept++] = version;
        }
        count = kept;
        return needed;
    }

    // The cache device has failed: what the backing device has too is read there.
    private bool IsOnlyACopy(in BlockVersion version) =>
        version.Clean && version.Ram < 0 && _volume.Health.CacheHasFailed;

    private void Gather(
        Request* request, byte* target, long blockOffset, BlockVersion* versions, int count, byte rest, bool restIsZero)
    {
        bool single = count + (rest != 0 ? 1 : 0) == 1;
        for (int i = 0; i < count; i++)
        {
            ref BlockVersion version = ref versions[i];
            if (version.Rotten) FailRotten(request, version);
            else if (version.Ram >= 0) CopyFromRam(target, version);
            else if (single)
                ExtendRun(request, true, Geometry.OffsetOfPhysical(version.Slot), target, SegmentOf(version));
            else
                ReadBounced(request, true, Geometry.OffsetOfPhysical(version.Slot), target, version.Sectors,
                    SegmentOf(version));
        }
        _counters.CountRead(versions, count, rest != 0 && !restIsZero);
        if (rest == 0) return;
        if (restIsZero) SectorMask.Clear(target, rest);
        else if (single) ExtendRun(request, false, blockOffset, target, -1);
        else ReadBounced(request, false, blockOffset, target, rest, -1);
    }

    private void FailRotten(Request* request, in BlockVersion version)
    {
        request->Result = -Eio;
        Unpin(version, 1);
    }

    private void CopyFromRam(byte* target, in BlockVersion version)
    {
        int slot = (int)version.Slot & (_volume.Geometry.SlotsPerSegment - 1);
        SectorMask.Copy(target, _volume.Log.Ram.Data(version.Ram, slot), version.Sectors);
    }

    private int SegmentOf(in BlockVersion version) => (int)(version.Slot >> _volume.Geometry.SlotShift);

    private void Unpin(in BlockVersion version, int count)
    {
        if (version.Ram < 0) _volume.Log.Table.Unpin(SegmentOf(version), count);
    }

    private void ExtendRun(Request* request, bool fromCache, long offset, byte* target, int segment)
    {
        if (!_run.TryExtend(fromCache, offset, target, segment))
        {
            SubmitRun(request);
            _run = new ReadRun(fromCache, offset, target, segment);
        }
    }

    private void SubmitRun(Request* request)
    {
        if (_run.Blocks == 0) return;
        IoOp* op = Start(request, DirectStep, _run.FromCache, _run.OffsetBytes, _run.Target,
            (long)_run.Blocks << Geometry.BlockShift);
        (op->UserA, op->UserInt) = (_run.Segment, _run.Blocks);
        SubmitOp(op, _run.FromCache);
        _run = default;
    }

    private void ReadBounced(Request* request, bool fromCache, long offset, byte* target, byte sectors, int segment)
    {
        int bounce = _bounces.Take();
        IoOp* op = Start(request, BounceStep, fromCache, offset, _bounces.Data(bounce), Geometry.BlockBytes);
        (op->UserA, op->UserInt, op->UserB) = (segment, (bounce << 8) | sectors, (long)target);
        SubmitOp(op, fromCache);
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
        request->Pending++;
        return op;
    }

    private void SubmitOp(IoOp* op, bool toCache)
    {
        if (toCache) _cache.Submit(op); else _backings[IdOf(op->Request)].Submit(op);
    }

    /// <inheritdoc/>
    public void Completed(IoOp* op)
    {
        Request* request = op->Request;
        if (op->Result < 0 && ++op->Attempts < LogPort.MaxAttempts)
        {
            SubmitOp(op, op->UserA >= 0);
            return;
        }
        if (op->Result < 0 || !IsIntact(op)) request->Result = -Eio;
        if (op->Step == BounceStep) EndBounce(op);
        int blocks = op->Step == BounceStep ? 1 : op->UserInt;
        if (op->UserA >= 0) _volume.Log.Table.Unpin((int)op->UserA, blocks);
        _io.Release(op);
        if (--request->Pending == 0 && request->Progress == request->LengthBytes) Complete(request, 0);
    }

    // Every block of the read is looked at, so that each rotten one is known from now on.
    private bool IsIntact(IoOp* op)
    {
        if (op->UserA < 0 || !_volume.Index.KeepsChecksums || Mutant.Is(MutantId.R5RottenServed)) return true;
        bool intact = true;
        uint slot = (uint)((op->OffsetBytes - Geometry.SuperblockRegionBytes) >> Geometry.BlockShift);
        for (long done = 0; done < op->LengthBytes; done += Geometry.BlockBytes, slot++)
        {
            if (_volume.Index.IsIntact(slot, (byte*)op->Buffer + done)) continue;
            _volume.ReportRot(slot);
            intact = false;
        }
        return intact;
    }

    private void EndBounce(IoOp* op)
    {
        if (op->Result >= 0) SectorMask.Copy((byte*)op->UserB, (byte*)op->Buffer, (byte)op->UserInt);
        _bounces.Return(op->UserInt >> 8);
    }
}

using System;
using Weir.Core.Caching;
using Weir.Core.Io;

namespace Weir.Frontends.Nbd;

/*
 *        sector       sectors        sector
 *   |....========|==============|=====.......|
 *   ^ read head        as sent       ^ read tail: at most two sectors, then one engine write of all of them
 */

// Requests of any length at any byte, on engines that know sectors. A change has its blocks locked, which keeps what is
// read, merged and written in one piece.
internal sealed unsafe partial class Connection
{
    private const int SectorMask = Protocol.SectorBytes - 1;
    private const int BlockShift = 12;

    /// <summary>Lets a change go on that has its lock now.</summary>
    public void Pass(Part* part)
    {
        if (part->Merges) BeginMerge(part);
        else _volume!.Submit(&part->Request);
    }

    private static (long Start, long LengthBytes) SectorsAround(long offset, long length)
    {
        long start = offset & ~(long)SectorMask;
        return (start, ((offset + length + SectorMask) & ~(long)SectorMask) - start);
    }

    private void SubmitChange(Part* part)
    {
        if (part->Merges) _queue.Counters.MergedChanges++;
        part->IsLocked = !part->Merges || _export!.IsGuarding;
        if (!part->IsLocked || TryLock(part)) Pass(part);
    }

    /// <summary>False: it comes to <see cref="Pass"/> when those in its way are done.</summary>
    private bool TryLock(Part* part)
    {
        long end = part->Request.OffsetBytes + part->Request.LengthBytes;
        part->Lock.FirstBlock = part->Request.OffsetBytes >> BlockShift;
        part->Lock.BlockCount = ((end - 1) >> BlockShift) - part->Lock.FirstBlock + 1;
        part->Lock.Mode = part->Merges ? BlockLockMode.Exclusive : BlockLockMode.Write;
        part->Lock.Owner = part;
        return _export!.Locks.Take(&part->Lock, _queue.Grants);
    }

    private void Unlock(Part* part)
    {
        if (part->IsLocked) _export!.Locks.Release(&part->Lock);
        part->IsLocked = false;
    }

    private void BeginMerge(Part* part)
    {
        (long start, long length) = SectorsAround(part->OffsetBytes, part->LengthBytes);
        bool head = part->OffsetBytes != start || length == Protocol.SectorBytes;
        if (head) ReadEdge(part, MergeStep.ReadHead, start);
        else ReadEdge(part, MergeStep.ReadTail, start + length - Protocol.SectorBytes);
    }

    /// <summary>False: the change is over, written or failed.</summary>
    private bool TryContinueMerge(Part* part)
    {
        bool isOver = part->MergeStep == MergeStep.Write || part->Request.Result < 0 || _phase == Phase.Closing;
        if (isOver) return false;
        Merge(part);
        (long start, long length) = SectorsAround(part->OffsetBytes, part->LengthBytes);
        bool tail = part->MergeStep == MergeStep.ReadHead && length > Protocol.SectorBytes
            && ((part->OffsetBytes + part->LengthBytes) & SectorMask) != 0;
        if (tail) ReadEdge(part, MergeStep.ReadTail, start + length - Protocol.SectorBytes);
        else WriteMerged(part, start, length);
        return true;
    }

    private void ReadEdge(Part* part, MergeStep step, long offset)
    {
        part->MergeStep = step;
        part->Request.Kind = RequestKind.Read;
        part->Request.Flags = RequestFlags.Counted;
        part->Request.OffsetBytes = offset;
        part->Request.LengthBytes = Protocol.SectorBytes;
        part->Request.Data = EdgePage(part) + Arena.SkewOf(offset);
        _volume!.Submit(&part->Request);
    }

    /// <summary>What of the sector just read is not the client's goes beside the client's bytes.</summary>
    private static void Merge(Part* part)
    {
        byte* sector = part->Request.Data;
        byte* target = part->Payload + (part->Request.OffsetBytes - part->OffsetBytes);
        long first = Math.Max(part->OffsetBytes - part->Request.OffsetBytes, 0);
        long end = part->OffsetBytes + part->LengthBytes - part->Request.OffsetBytes;
        end = Math.Min(end, Protocol.SectorBytes);
        Buffer.MemoryCopy(sector, target, first, first);
        Buffer.MemoryCopy(sector + end, target + end, Protocol.SectorBytes - end, Protocol.SectorBytes - end);
    }

    private void WriteMerged(Part* part, long start, long length)
    {
        part->MergeStep = MergeStep.Write;
        part->Request.Kind = RequestKind.Write;
        part->Request.Flags =
            EngineFlags(part->Command->Flags) & (RequestFlags.Fua | RequestFlags.Counted);
        part->Request.OffsetBytes = start;
        part->Request.LengthBytes = length;
        part->Request.Data = part->Payload - (part->OffsetBytes - start);
        _volume!.Submit(&part->Request);
    }

    private byte* EdgePage(Part* part) => _arena.At(part->FirstPage + part->PageCount - 1);

    /// <summary>Advice about a part of a sector cannot be taken; false when nothing is left.</summary>
    private static bool TryKeepEdges(Command* command)
    {
        long end = (command->OffsetBytes + command->LengthBytes) & ~(long)SectorMask;
        command->OffsetBytes = (command->OffsetBytes + SectorMask) & ~(long)SectorMask;
        command->LengthBytes = end - command->OffsetBytes;
        return command->LengthBytes > 0;
    }

    /// <summary>Zeroes must be exact: parts of sectors are written and merged, whole sectors go in one piece.</summary>
    private void IssueZeroes()
    {
        Command* command = _issuing;
        long rest = command->LengthBytes - command->IssuedBytes;
        long toSector = -(command->OffsetBytes + command->IssuedBytes) & SectorMask;
        bool isEdge = toSector != 0 || rest < Protocol.SectorBytes;
        long length = isEdge ? Math.Min(rest, toSector != 0 ? toSector : rest) : rest & ~(long)SectorMask;
        Part* part = isEdge ? NewPart(command, RequestKind.Write, length) : _slots.AcquirePart(command);
        _stalled = part == null;
        if (_stalled) return;
        if (length == rest) _issuing = null;
        if (!isEdge)
        {
            SubmitRange(part, RequestKind.WriteZeroes, length);
            return;
        }
        new Span<byte>(part->Payload, (int)length).Clear();
        Submit(part);
    }
}

using System;
using Weir.Core.Io;

namespace Weir.Frontends.Nbd;

/*
 *        sector       sectors        sector
 *   |....========|==============|=====.......|
 *   ^ read head        as sent       ^ read tail: at most two sectors, then one engine write of all of them
 */

// Requests of any length at any byte, on engines that know sectors. Changes go through the export's gate, which keeps
// what is read, merged and written in one piece.
internal sealed unsafe partial class Connection
{
    private const int SectorMask = Protocol.SectorBytes - 1;

    private bool _isEdgeUser;
    private bool _isSettled;

    /// <summary>Lets a change that waited at the gate go on; false: it waits still.</summary>
    public bool TryPass(Part* part)
    {
        Request* request = &part->Request;
        EdgeGate gate = _export!.Edges;
        if (part->Merges) return TryBeginMerge(part, gate);
        int queue = _queue.Index;
        if (!gate.TryEnter(queue, request->OffsetBytes, request->LengthBytes, out bool isNoted)) return false;
        part->Gate = isNoted ? GateEntry.Noted : GateEntry.Counted;
        _volume!.Submit(request);
        return true;
    }

    private static (long Start, long LengthBytes) SectorsAround(long offset, long length)
    {
        long start = offset & ~(long)SectorMask;
        return (start, ((offset + length + SectorMask) & ~(long)SectorMask) - start);
    }

    private void SubmitChange(Part* part)
    {
        if (part->Merges) BecomeEdgeUser();
        if (!TryPass(part)) _queue.Wait(part);
    }

    private void BecomeEdgeUser()
    {
        _queue.Counters.MergedChanges++;
        if (_isEdgeUser) return;
        _isEdgeUser = true;
        _export!.Edges.AddUser();
    }

    private void LeaveEdges()
    {
        if (_isEdgeUser) _export!.Edges.RemoveUser();
        _isEdgeUser = _isSettled = false;
    }

    private void LeaveGate(Part* part)
    {
        Request* request = &part->Request;
        EdgeGate gate = _export!.Edges;
        (long start, long length) = (request->OffsetBytes, request->LengthBytes);
        if (part->Gate == GateEntry.Outside) return;
        if (part->Gate == GateEntry.Merging) (start, length) = SectorsAround(part->OffsetBytes, part->LengthBytes);
        if (part->Gate == GateEntry.Merging) gate.ExitMerging(start, length);
        else gate.Exit(_queue.Index, start, length, part->Gate == GateEntry.Noted);
        part->Gate = GateEntry.Outside;
        _queue.GateLeft();
    }

    private bool TryBeginMerge(Part* part, EdgeGate gate)
    {
        _isSettled = _isSettled || gate.IsSettled();
        (long start, long length) = SectorsAround(part->OffsetBytes, part->LengthBytes);
        bool isGuarded = gate.IsGuarding;
        if (isGuarded && !_isSettled) return false;
        if (isGuarded && !gate.TryEnterMerging(start, length, ref part->IsWished)) return false;
        part->Gate = isGuarded ? GateEntry.Merging : GateEntry.Outside;
        bool head = part->OffsetBytes != start || length == Protocol.SectorBytes;
        if (head) ReadEdge(part, MergeStep.ReadHead, start);
        else ReadEdge(part, MergeStep.ReadTail, start + length - Protocol.SectorBytes);
        return true;
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

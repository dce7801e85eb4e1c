using System;
using System.Buffers.Binary;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Frontends.Nbd;

// Requests in: parse, validate, cut, hand to the engine. The parser stops where slots or memory are short and goes on
// when some have come back.
internal sealed unsafe partial class Connection
{
    private const int MaxExtents = 128;

    /// <summary>A read, or zeroes, whose chunks are not all issued yet.</summary>
    private Command* _issuing;
    /// <summary>The write whose payload is being received, chunk by chunk.</summary>
    private Part* _write;
    private Command* _writeCommand;
    private int _writeBytes;
    private int _writeFilled;
    /// <summary>Payload of a refused write still to be read past, and the reply that follows it.</summary>
    private long _drainBytes;
    private Part* _drainReply;
    private bool _stalled;
    private bool _freed;

    private bool IsIssuing => _issuing != null;

    private void Parse()
    {
        _stalled = false;
        _freed = false;
        while (!_stalled)
        {
            if (_issuing != null) IssueNext();
            else if (_phase != Phase.Serving) return;
            else if (_drainBytes > 0) DrainPayload();
            else if (_writeCommand != null) TakePayload();
            else if (Available >= Protocol.RequestHeaderBytes) TakeRequest();
            else return;
            if (Available == 0 && _issuing == null && (_writeCommand == null || _write != null)) return;
        }
    }

    /// <summary>A header is there. Slots come first: a request is either taken whole or left in the buffer.</summary>
    private void TakeRequest()
    {
        RequestHeader header = RequestHeader.Read(Received);
        if (header.Magic != Protocol.RequestMagic)
        {
            _queue.Counters.BrokenConnections++;
            Abort();
            return;
        }
        if (header.Command == NbdCommand.Disconnect)
        {
            _start += Protocol.RequestHeaderBytes;
            Finish(_queue.Io.NowUs + _queue.IdleUs);
            return;
        }
        _stalled = !_slots.HasFree || _arena.IsFull;
        if (_stalled) return;
        _start += Protocol.RequestHeaderBytes;
        _queue.Counters.Requests++;
        int error = Validate.Request(header, _limits);
        if (error != 0) Refuse(header, error);
        else Begin(header);
    }

    /// <summary>A refused write's payload is read past before the reply: clients may send all of it first.</summary>
    private void Refuse(in RequestHeader header, int error)
    {
        _queue.Counters.RefusedRequests++;
        Part* part = _slots.AcquirePart(null);
        bool chunk = _limits.Structured && header.Command is NbdCommand.Read or NbdCommand.BlockStatus;
        if (chunk) Replies.Error(part, header.Cookie, error);
        else Replies.Simple(part, header.Cookie, error);
        _drainBytes = header.Command == NbdCommand.Write ? header.Length : 0;
        if (_drainBytes > 0) _drainReply = part;
        else Ready(part);
    }

    private void DrainPayload()
    {
        int count = (int)Math.Min(Available, _drainBytes);
        _start += count;
        _drainBytes -= count;
        if (_drainBytes > 0) return;
        Ready(_drainReply);
        _drainReply = null;
    }

    private void Begin(in RequestHeader header)
    {
        Command* command = _slots.AcquireCommand();
        command->Cookie = header.Cookie;
        command->OffsetBytes = (long)header.Offset;
        command->LengthBytes = header.Length;
        command->Type = header.Command;
        command->Flags = header.Flags;
        if (header.Command != NbdCommand.Write || header.Length == 0) CountAsked(command);
        bool empty = header.Length == 0 && header.Command != NbdCommand.Flush;
        if (empty || header.Command == NbdCommand.Cache) AnswerEmpty(command);
        else if (header.Command == NbdCommand.Read) BeginRead(command);
        else if (header.Command == NbdCommand.Write) _writeCommand = command;
        else if (header.Command == NbdCommand.BlockStatus) AnswerBlockStatus(command);
        else if (header.Command == NbdCommand.WriteZeroes) _issuing = command;
        else if (header.Command == NbdCommand.Trim && !TryKeepEdges(command)) AnswerEmpty(command);
        else IssueRange(command);
    }

    /// <summary>A long read of a client without structured replies must be answered in order, and alone.</summary>
    private void BeginRead(Command* command)
    {
        _issuing = command;
        command->Ordered = !_limits.Structured && command->LengthBytes > Protocol.ChunkBytes;
    }

    private void IssueNext()
    {
        if (_issuing->Type == NbdCommand.Read) IssueRead();
        else IssueZeroes();
    }

    /// <summary>The next chunk of the read being issued.</summary>
    private void IssueRead()
    {
        Command* command = _issuing;
        _stalled = command->Ordered && MustWait(command);
        if (_stalled) return;
        Part* part = NewPart(command, RequestKind.Read, long.MaxValue);
        if (part == null) return;
        part->PayloadBytes = (int)part->LengthBytes;
        if (command->Ordered) Append(command, part);
        bool last = command->IssuedBytes + part->PayloadBytes == command->LengthBytes;
        if (last && !command->Ordered) _issuing = null;
        Submit(part);
    }

    /// <summary>No other reply may come between: none is due when it begins, none is caused until it ends.</summary>
    private bool MustWait(Command* command) =>
        command->IssuedBytes == 0 ? _slots.CommandsInUse > 1 : command->IssuedBytes == command->LengthBytes;

    private static void Append(Command* command, Part* part)
    {
        if (command->FirstPart == null) command->FirstPart = part;
        else command->LastPart->NextInCommand = part;
        command->LastPart = part;
    }

    /// <summary>Payload that is in the stream buffer goes to the write's pages; a full chunk to the engine.</summary>
    private void TakePayload()
    {
        if (_write == null)
        {
            _write = NewPart(_writeCommand, RequestKind.Write, long.MaxValue);
            if (_write == null) return;
            (_writeBytes, _writeFilled) = ((int)_write->LengthBytes, 0);
        }
        int count = Math.Min(Available, _writeBytes - _writeFilled);
        Buffer.MemoryCopy(_stream + _start, _write->Payload + _writeFilled, count, count);
        _start += count;
        _writeFilled += count;
        if (_writeFilled < _writeBytes) return;
        Part* part = _write;
        _write = null;
        if (_writeCommand->IssuedBytes + _writeBytes == _writeCommand->LengthBytes)
        {
            CountAsked(_writeCommand);
            _writeCommand = null;
        }
        Submit(part);
    }

    /// <summary>Flush and trim: one engine request, however long.</summary>
    private void IssueRange(Command* command)
    {
        Part* part = _slots.AcquirePart(command);
        RequestKind kind = command->Type == NbdCommand.Flush ? RequestKind.Flush : RequestKind.Discard;
        SubmitRange(part, kind, command->LengthBytes);
    }

    /// <summary>The next <paramref name="lengthBytes"/> of the command, whole sectors without data.</summary>
    private void SubmitRange(Part* part, RequestKind kind, long lengthBytes)
    {
        part->OffsetBytes = part->Request.OffsetBytes = part->Command->OffsetBytes + part->Command->IssuedBytes;
        part->LengthBytes = part->Request.LengthBytes = lengthBytes;
        part->Request.Kind = kind;
        Submit(part);
    }

    /// <summary>
    /// A part for the command's next chunk, of at most <paramref name="mostBytes"/>, with its pages, or null: the
    /// parser waits. The request is for the whole sectors around it, the payload lies where the client's bytes are.
    /// Chunks after the first begin on a 4 KiB boundary of the volume; a request up to a chunk's length is never cut
    /// (NBD_CMD_FLAG_DF).
    /// </summary>
    private Part* NewPart(Command* command, RequestKind kind, long mostBytes)
    {
        long offset = command->OffsetBytes + command->IssuedBytes;
        long rest = Math.Min(command->LengthBytes - command->IssuedBytes, mostBytes);
        int length = (int)(rest <= Protocol.ChunkBytes ? rest : Protocol.ChunkBytes - Arena.SkewOf(offset));
        (long start, long sectorBytes) = SectorsAround(offset, length);
        bool merges = kind == RequestKind.Write && sectorBytes != length;
        int pages = Arena.PagesAround(start, sectorBytes) + (merges ? 1 : 0);
        Part* part = _slots.AcquirePart(command);
        int page = part == null ? -1 : AllocatePages(pages);
        if (page < 0)
        {
            if (part != null) _slots.Release(part);
            _stalled = true;
            return null;
        }
        (part->FirstPage, part->PageCount) = (page, pages);
        (part->OffsetBytes, part->LengthBytes, part->Merges) = (offset, length, merges);
        part->Request.Kind = kind;
        part->Request.OffsetBytes = start;
        part->Request.LengthBytes = sectorBytes;
        part->Request.Data = _arena.At(page) + Arena.SkewOf(start);
        part->Payload = part->Request.Data + (offset - start);
        return part;
    }

    private void Submit(Part* part)
    {
        Command* command = part->Command;
        command->Outstanding++;
        command->IssuedBytes += part->LengthBytes;
        part->Request.Flags = EngineFlags(command->Flags);
        part->Request.FrontendInt = Index;
        part->Request.Device = _export!.Device;
        _inEngine++;
        bool changes = part->Request.Kind is not (RequestKind.Read or RequestKind.Flush);
        if (changes) SubmitChange(part);
        else _volume!.Submit(&part->Request);
    }

    // Once, as the client has it, whatever the engine is asked for its sake; a write when all of it is here.
    private void CountAsked(Command* command)
    {
        RequestKind kind = KindOf(command->Type);
        RequestFlags flags = EngineFlags(command->Flags) & RequestFlags.Fua;
        long lengthBytes = kind == RequestKind.Flush ? 0 : command->LengthBytes;
        if (kind == RequestKind.None) return;
        _volume!.CountAsked(kind, flags, lengthBytes);
        _queue.Tap.Note(kind, command->OffsetBytes, lengthBytes, _export!.Name);
    }

    private static RequestKind KindOf(NbdCommand command) => command switch
    {
        NbdCommand.Read => RequestKind.Read,
        NbdCommand.Write => RequestKind.Write,
        NbdCommand.Flush => RequestKind.Flush,
        NbdCommand.Trim => RequestKind.Discard,
        NbdCommand.WriteZeroes => RequestKind.WriteZeroes,
        _ => RequestKind.None,
    };

    private static RequestFlags EngineFlags(CommandFlags flags)
    {
        RequestFlags engine = RequestFlags.Counted;
        if ((flags & CommandFlags.Fua) != 0) engine |= RequestFlags.Fua;
        if ((flags & CommandFlags.FastZero) != 0) engine |= RequestFlags.FastZero;
        if ((flags & CommandFlags.NoHole) != 0) engine |= RequestFlags.NoHole;
        return engine;
    }

    /// <summary>Extents are known at once. Lengths are clipped to the request, as REQ_ONE wants it.</summary>
    private void AnswerBlockStatus(Command* command)
    {
        Span<Extent> extents = stackalloc Extent[MaxExtents];
        if ((command->Flags & CommandFlags.ReqOne) != 0) extents = extents[..1];
        int page = AllocatePages(1);
        if (page < 0)
        {
            // Whole, or not at all: it comes again when a page is free.
            _start -= Protocol.RequestHeaderBytes;
            _queue.Counters.Requests--;
            _slots.Release(command);
            _stalled = true;
            return;
        }
        int count = _volume!.BlockStatus(
            _export!.Device, StatusContext.Allocation, command->OffsetBytes, command->LengthBytes, extents);
        Invariant.Check(count > 0 && count <= extents.Length);
        Part* part = _slots.AcquirePart(null);
        (part->FirstPage, part->PageCount) = (page, 1);
        part->Payload = _arena.At(page);
        part->PayloadBytes = WriteExtents(extents[..count], command->LengthBytes, part->Payload);
        Replies.BlockStatus(part, command->Cookie);
        Retire(command);
        Ready(part);
    }

    private static int WriteExtents(ReadOnlySpan<Extent> extents, long lengthBytes, byte* target)
    {
        int written = 0;
        foreach (Extent extent in extents)
        {
            long length = Math.Min(extent.LengthBytes, lengthBytes);
            if (length <= 0) break;
            lengthBytes -= length;
            BinaryPrimitives.WriteUInt32BigEndian(new Span<byte>(target + written, 4), (uint)length);
            BinaryPrimitives.WriteUInt32BigEndian(new Span<byte>(target + written + 4, 4), extent.Flags);
            written += 8;
        }
        Invariant.Check(written > 0);
        return written;
    }

    private void ResetRequests()
    {
        _issuing = _writeCommand = null;
        _write = _drainReply = null;
        _writeBytes = _writeFilled = 0;
        _drainBytes = 0;
        _stalled = _freed = false;
        _inEngine = 0;
    }
}

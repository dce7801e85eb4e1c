using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Frontends.Nbd;

// Engine results to replies.
internal sealed unsafe partial class Connection
{
    /// <summary>The engine has answered one part.</summary>
    public void Complete(Request* request)
    {
        Part* part = (Part*)request;
        Command* command = part->Command;
        Invariant.Check(_inEngine > 0);
        if (part->Merges && TryContinueMerge(part)) return;
        Unlock(part);
        _inEngine--;
        command->Outstanding--;
        part->Completed = true;
        _queue.Touch(this);
        if (_phase == Phase.Closing) return;
        if (request->Result < 0 && command->Error == 0) command->Error = request->Result;
        if (command->Type != NbdCommand.Read) Acknowledge(command, part);
        else if (command->Ordered) AnswerOrdered(command);
        else if (_limits.Structured) AnswerChunk(command, part);
        else AnswerSimple(command, part);
    }

    /// <summary>Nothing of the command is left to be issued or answered by the engine.</summary>
    private static bool IsComplete(Command* command) =>
        command->Outstanding == 0 && command->IssuedBytes == command->LengthBytes;

    /// <summary>All but reads: one reply when all is done.</summary>
    private void Acknowledge(Command* command, Part* part)
    {
        FreePages(part);
        if (!IsComplete(command))
        {
            FreePart(part);
            return;
        }
        Replies.Simple(part, command->Cookie, ErrorOf(command));
        Retire(command);
        Ready(part);
    }

    /// <summary>A read of one part: header and data, or the header with the error alone.</summary>
    private void AnswerSimple(Command* command, Part* part)
    {
        int error = ErrorOf(command);
        if (error != 0) FreePages(part);
        Replies.Simple(part, command->Cookie, error);
        Retire(command);
        Ready(part);
    }

    /// <summary>A structured read: each part is a chunk, whichever comes first; the last one says so.</summary>
    private void AnswerChunk(Command* command, Part* part)
    {
        bool last = IsComplete(command);
        int result = part->Request.Result;
        long offset = part->OffsetBytes;
        if (result == 0)
        {
            Replies.OffsetData(part, command->Cookie, offset, last);
        }
        else
        {
            FreePages(part);
            Replies.ErrorOffset(part, command->Cookie, NbdError.From(result), offset, last);
        }
        if (last) Retire(command);
        Ready(part);
    }

    /// <summary>
    /// A long read without structured replies: parts go out in order behind one header. An error before the header is
    /// the reply; after it there is no way to tell but to close.
    /// </summary>
    private void AnswerOrdered(Command* command)
    {
        if (command->Error != 0)
        {
            FailOrdered(command);
            return;
        }
        while (command->FirstPart != null && command->FirstPart->Completed)
        {
            Part* part = command->FirstPart;
            command->FirstPart = part->NextInCommand;
            if (!command->HeaderSent) Replies.Simple(part, command->Cookie, 0);
            command->HeaderSent = true;
            Ready(part);
        }
        if (command->FirstPart == null && IsComplete(command)) Retire(command);
    }

    private void FailOrdered(Command* command)
    {
        if (command->HeaderSent) Abort();
        // No more of it is issued; what is in the engine comes back first.
        command->IssuedBytes = command->LengthBytes;
        if (command->HeaderSent) return;
        if (command->Outstanding > 0) return;
        Part* reply = command->FirstPart;
        for (Part* part = reply->NextInCommand; part != null;)
        {
            Part* next = part->NextInCommand;
            FreePages(part);
            FreePart(part);
            part = next;
        }
        FreePages(reply);
        Replies.Simple(reply, command->Cookie, ErrorOf(command));
        Retire(command);
        Ready(reply);
    }

    /// <summary>A request that asks for nothing, or whose effect is none.</summary>
    private void AnswerEmpty(Command* command)
    {
        Part* part = _slots.AcquirePart(null);
        if (command->Type == NbdCommand.Read && _limits.Structured) Replies.None(part, command->Cookie);
        else Replies.Simple(part, command->Cookie, 0);
        Retire(command);
        Ready(part);
    }

    private static int ErrorOf(Command* command) => command->Error == 0 ? 0 : NbdError.From(command->Error);

    private void Retire(Command* command)
    {
        if (_issuing == command) _issuing = null;
        _slots.Release(command);
        _freed = true;
    }

    private void FreePages(Part* part)
    {
        part->Payload = null;
        part->PayloadBytes = 0;
        if (part->PageCount == 0) return;
        _arena.Free(part->FirstPage, part->PageCount);
        ReturnUnused();
        part->PageCount = 0;
        _freed = true;
    }

    private void FreePart(Part* part)
    {
        _slots.Release(part);
        _freed = true;
    }
}

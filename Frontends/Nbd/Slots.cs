using System;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.Io;
using Slab = Weir.Native.Slab;

namespace Weir.Frontends.Nbd;

/// <summary>One request of the client, from its header to its last reply.</summary>
internal unsafe struct Command
{
    /// <summary>The client's name for it.</summary>
    public ulong Cookie;
    /// <summary>First byte on the volume.</summary>
    public long OffsetBytes;
    /// <summary>Bytes asked for.</summary>
    public long LengthBytes;
    /// <summary>Bytes handed to the engine so far.</summary>
    public long IssuedBytes;
    /// <summary>Parts in the engine.</summary>
    public int Outstanding;
    /// <summary>The first error, as a negative errno.</summary>
    public int Error;
    /// <summary>What was asked.</summary>
    public NbdCommand Type;
    /// <summary>How.</summary>
    public CommandFlags Flags;
    /// <summary>A read of several chunks whose data goes out in order: client without structured replies.</summary>
    public bool Ordered;
    /// <summary>Ordered: the reply's header has gone out.</summary>
    public bool HeaderSent;
    /// <summary>Ordered: the first part not yet sent.</summary>
    public Part* FirstPart;
    /// <summary>Ordered: the last part issued.</summary>
    public Part* LastPart;
    /// <summary>Free list.</summary>
    public Command* Next;
}

/// <summary>A change that merges, from reading the sectors at its edges to writing all of it.</summary>
internal enum MergeStep : byte
{
    None,
    ReadHead,
    ReadTail,
    Write,
}

/// <summary>
/// One engine request and the reply it leads to. A request of the client has one part, or several where it is longer
/// than a chunk.
/// </summary>
internal unsafe struct Part
{
    /// <summary>Room for the longest reply header.</summary>
    public const int HeaderCapacity = 40;

    /// <summary>What the engine sees. First, so that a completed request's address is its part's.</summary>
    public Request Request;
    /// <summary>What it belongs to; null once the command needs no more than this reply.</summary>
    public Command* Command;
    /// <summary>Reply list, or free list.</summary>
    public Part* Next;
    /// <summary>The command's next part, for ordered reads.</summary>
    public Part* NextInCommand;
    /// <summary>Data sent behind the header.</summary>
    public byte* Payload;
    /// <summary>Bytes of it.</summary>
    public int PayloadBytes;
    /// <summary>The client's first byte on the volume; the request may begin before it, with the sector.</summary>
    public long OffsetBytes;
    /// <summary>The client's bytes.</summary>
    public long LengthBytes;
    /// <summary>First page of the arena.</summary>
    public int FirstPage;
    /// <summary>Pages; 0 for none. Of a change that merges the last one is for the sectors it merges with.</summary>
    public int PageCount;
    /// <summary>Bytes of <see cref="Header"/> to send.</summary>
    public int HeaderBytes;
    /// <summary>The engine has answered.</summary>
    public bool Completed;
    /// <summary>A change that begins or ends inside a sector.</summary>
    public bool Merges;
    /// <summary>Of one that merges: what the engine does for it.</summary>
    public MergeStep MergeStep;
    /// <summary>Of a change: it has, or waits for, <see cref="Lock"/>.</summary>
    public bool IsLocked;
    /// <summary>Its blocks.</summary>
    public BlockLock Lock;
    /// <summary>The reply's header.</summary>
    public fixed byte Header[HeaderCapacity];
}

/// <summary>The fixed pools of one connection. An empty pool is back-pressure: no more requests are read.</summary>
internal sealed unsafe class Slots : IDisposable
{
    /// <summary>Requests one connection may have in progress.</summary>
    public const int Commands = 256;

    /// <summary>More than commands, for those that are cut in chunks.</summary>
    public const int Parts = Commands + 64;

    private readonly Slab _slab = new((Commands * (long)sizeof(Command)) + (Parts * (long)sizeof(Part)));
    private readonly Command* _commands;
    private readonly Part* _parts;
    // Those behind have not been touched since the last reset: an idle client's take no memory.
    private int _usedCommands;
    private int _usedParts;
    private Command* _freeCommand;
    private Part* _freePart;

    /// <summary>Allocates both.</summary>
    public Slots()
    {
        _parts = (Part*)_slab.Start;
        _commands = (Command*)(_parts + Parts);
        Reset();
    }

    /// <summary>Commands taken.</summary>
    public int CommandsInUse { get; private set; }

    /// <summary>Parts taken.</summary>
    public int PartsInUse { get; private set; }

    /// <summary>A command and a part for it can be had.</summary>
    public bool HasFree => CommandsInUse < Commands && PartsInUse < Parts;

    /// <summary>Everything is free again; the caller knows that the engine has no part any more.</summary>
    public void Reset()
    {
        _freeCommand = null;
        _freePart = null;
        _usedCommands = _usedParts = 0;
        CommandsInUse = PartsInUse = 0;
    }

    /// <summary>A cleared command. The caller asked <see cref="HasFree"/>.</summary>
    public Command* AcquireCommand()
    {
        Invariant.Check(CommandsInUse < Commands);
        Command* command = _freeCommand;
        if (command != null) _freeCommand = command->Next;
        else command = &_commands[_usedCommands++];
        *command = default;
        CommandsInUse++;
        return command;
    }

    /// <summary>A part without pages and header for <paramref name="command"/>, or null.</summary>
    public Part* AcquirePart(Command* command)
    {
        if (PartsInUse == Parts) return null;
        Part* part = _freePart;
        if (part != null) _freePart = part->Next;
        else part = &_parts[_usedParts++];
        part->Request = default;
        part->Command = command;
        part->Next = part->NextInCommand = null;
        part->Payload = null;
        part->PayloadBytes = part->PageCount = part->HeaderBytes = 0;
        part->Completed = part->Merges = part->IsLocked = false;
        part->MergeStep = MergeStep.None;
        part->OffsetBytes = part->LengthBytes = 0;
        PartsInUse++;
        return part;
    }

    /// <summary>Gives a command back.</summary>
    public void Release(Command* command)
    {
        Invariant.Check(command->Outstanding == 0);
        command->Next = _freeCommand;
        _freeCommand = command;
        CommandsInUse--;
    }

    /// <summary>Gives a part back; its pages are gone already.</summary>
    public void Release(Part* part)
    {
        Invariant.Check(part->PageCount == 0);
        part->Next = _freePart;
        _freePart = part;
        PartsInUse--;
    }

    /// <inheritdoc/>
    public void Dispose() => _slab.Dispose();
}

using System;
using Weir.Core.Base;
using Weir.Native.Uring;

namespace Weir.Core.Devices;

/// <summary>Gets the completions of commands to one driver's file.</summary>
public interface ICommandHandler
{
    /// <summary>The command of this tag is done. Runs while the completion queue is read: only takes note.</summary>
    void CommandDone(int tag, int result);
}

/*
 * Commands to a driver: many of them wait in the kernel for as long as the program runs, one for each request that may
 * come. They take no operation of the pool. User data: the mark, the handler's number, the tag.
 */
public sealed unsafe partial class RingContext
{
    private const uint CommandMark = 1u << 31;
    private const int CommandTagBits = 16;
    private const int CommandHandlersMax = 1024;

    private readonly ICommandHandler?[] _commandHandlers = new ICommandHandler?[CommandHandlersMax];

    /// <summary>A number for a receiver of command completions.</summary>
    public int AddCommandHandler(ICommandHandler handler)
    {
        int place = Array.IndexOf(_commandHandlers, null);
        Invariant.Check(place >= 0);
        _commandHandlers[place] = handler;
        return place;
    }

    /// <summary>The receiver has no command under way any more; its number is free.</summary>
    public void RemoveCommandHandler(int handler) => _commandHandlers[handler] = null;

    /// <summary>
    /// Gives command <paramref name="operation"/> with 16 bytes of its own, and an address or what stands in its place,
    /// to the driver of <paramref name="fd"/>.
    /// </summary>
    public void Command(int handler, int tag, int fd, uint operation, ulong address, ulong low, ulong high)
    {
        io_uring_sqe* entry = NextEntry();
        ulong userData = CommandMark | (uint)handler << CommandTagBits | (uint)tag;
        Sqe.Command(entry, new FileRef(fd, false), operation, address, userData);
        entry->addr3 = low;
        entry->__pad2 = high;
        PublishOp();
    }

    private void FinishCommand(uint mark, int result)
    {
        _inFlight--;
        if (_closing) return;
        int handler = (int)((mark & ~CommandMark) >> CommandTagBits);
        _commandHandlers[handler]!.CommandDone((int)(mark & ((1 << CommandTagBits) - 1)), result);
    }
}

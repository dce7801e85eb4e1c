using System;

namespace Weir.Core.Writeboost.Writeback;

/// <summary>
/// The bytes of one write being built: in place while its pieces follow each other in memory, else copied together in a
/// room of its own. Not handed to the kernel as iovecs: it takes memory for those, and a machine that
/// swaps to us has none to give (see docs/ublk.md, Memory pressure). The copy costs about what pinning a page does.
/// </summary>
/// <param name="room"><see cref="RoomBytes"/> to gather in.</param>
internal unsafe struct Gathering(byte* room)
{
    /// <summary>What is gathered at most.</summary>
    public const int RoomBytes = 128 << 10;

    /// <summary>First byte.</summary>
    public byte* Start { get; private set; }

    /// <summary>Bytes so far.</summary>
    public int Length { get; private set; }

    /// <summary>Appends a piece. False: the room is too small, and the write ends before it.</summary>
    public bool TryAdd(byte* bytes, int length)
    {
        if (Length == 0) Start = bytes;
        else if ((Start == room || Start + Length != bytes) && !TryGather(bytes, length)) return false;
        Length += length;
        return true;
    }

    private bool TryGather(byte* bytes, int length)
    {
        if (Length + length > RoomBytes) return false;
        if (Start != room) Buffer.MemoryCopy(Start, room, Length, Length);
        Start = room;
        Buffer.MemoryCopy(bytes, room + Length, length, length);
        return true;
    }
}

using System;

namespace Weir.Core.Cleaning;

/// <summary>
/// The bytes of one write being built: in place while its pieces follow each other in memory, else copied together in a
/// buffer of its own. Not handed to the kernel as iovecs: it takes memory for those, and a machine that
/// swaps to us has none to give (see docs/ublk.md, Memory pressure). The copy costs about what pinning a page does.
/// </summary>
/// <param name="buffer"><see cref="BufferBytes"/> to gather in.</param>
internal unsafe struct WriteCoalescer(byte* buffer)
{
    /// <summary>What is gathered at most.</summary>
    public const int BufferBytes = 128 << 10;

    /// <summary>First byte.</summary>
    public byte* Start { get; private set; }

    /// <summary>Bytes so far.</summary>
    public int Length { get; private set; }

    /// <summary>Appends a piece. False: the buffer is too small, and the write ends before it.</summary>
    public bool TryAdd(byte* bytes, int length)
    {
        if (Length == 0) Start = bytes;
        else if ((Start == buffer || Start + Length != bytes) && !TryGather(bytes, length)) return false;
        Length += length;
        return true;
    }

    private bool TryGather(byte* bytes, int length)
    {
        if (Length + length > BufferBytes) return false;
        if (Start != buffer) Buffer.MemoryCopy(Start, buffer, Length, Length);
        Start = buffer;
        Buffer.MemoryCopy(bytes, buffer + Length, length, length);
        return true;
    }
}

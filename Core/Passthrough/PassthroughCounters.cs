using Weir.Core.Io;

namespace Weir.Core.Passthrough;

/// <summary>What one queue has done: written by its thread, read by any (each word is whole).</summary>
internal struct PassthroughCounters
{
    public long Reads, ReadBytes, Writes, WriteBytes, Flushes, Discards, Zeroes, Errors;

    /// <summary>Counts a request, as the client has asked for it.</summary>
    public void Count(RequestKind kind, RequestFlags flags, long bytes)
    {
        if ((flags & RequestFlags.Counted) != 0) return;
        switch (kind)
        {
            case RequestKind.Read: Reads++; ReadBytes += bytes; break;
            case RequestKind.Write: Writes++; WriteBytes += bytes; break;
            case RequestKind.Flush: Flushes++; break;
            case RequestKind.Discard: Discards++; break;
            default: Zeroes++; break;
        }
    }

    /// <summary>Adds another queue's.</summary>
    public void Add(in PassthroughCounters other)
    {
        Reads += other.Reads;
        ReadBytes += other.ReadBytes;
        Writes += other.Writes;
        WriteBytes += other.WriteBytes;
        Flushes += other.Flushes;
        Discards += other.Discards;
        Zeroes += other.Zeroes;
        Errors += other.Errors;
    }
}

using Weir.Core.Io;

namespace Weir.Core.Devices;

/*
 * What the ring knows of an operation while it has it, in its DeviceState. Queue is first in both: it tells them apart.
 */

/// <summary>An operation on a file, as one or more ring requests.</summary>
internal struct FileOp
{
    /// <summary>The file's queue, by its number in the ring.</summary>
    public int Queue;
    /// <summary>How often a request of it was interrupted.</summary>
    public int Retries;
    /// <summary>Bytes that are done.</summary>
    public long DoneBytes;
    /// <summary>Of a range: the fallocate mode under way; 0: zeroes are written.</summary>
    public int RangeMode;
}

/// <summary>What is done with a socket.</summary>
internal enum SocketVerb : byte
{
    /// <summary>One connection is accepted.</summary>
    Accept,
    /// <summary>Received into <see cref="IoOp.Buffer"/>.</summary>
    Receive,
    /// <summary>Sent from the iovecs there.</summary>
    Send,
}

/// <summary>An operation on a socket.</summary>
internal struct SocketOp
{
    /// <summary>Always <see cref="NoQueue"/>.</summary>
    public int Queue;
    /// <summary>The socket.</summary>
    public int Descriptor;
    /// <summary>Of a send: its iovecs.</summary>
    public int VectorCount;
    /// <summary>What is done.</summary>
    public SocketVerb Verb;

    /// <summary>It is no file's.</summary>
    public const int NoQueue = -1;
}

using Weir.Core.Io;

namespace Weir.Core.Passthrough;

/// <summary>What the engine knows of a request while it has it, in <see cref="Request.Engine"/>.</summary>
internal unsafe struct PassthroughRequest
{
    /// <summary>Of a change with an edge inside a block: bytes that are done.</summary>
    public long Progress;
    /// <summary>How often flushes had been resumed when it came.</summary>
    public int Resumes;
    /// <summary>The operation that it holds, while it waits for a flush.</summary>
    public IoOp* Op;

    /// <summary>That of <paramref name="request"/>.</summary>
    public static PassthroughRequest* Of(Request* request) => (PassthroughRequest*)request->Engine;
}

/// <summary>What it knows of an operation.</summary>
internal struct PassthroughOp
{
    /// <summary>Of a change with an edge inside a block: the buffer for that.</summary>
    public int EdgeBuffer;
}

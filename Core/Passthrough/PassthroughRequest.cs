using Weir.Core.Io;

namespace Weir.Core.Passthrough;

/// <summary>What the engine knows of a request while it has it, in <see cref="Request.Engine"/>.</summary>
internal unsafe struct PassthroughRequest
{
    /// <summary>How often flushes had been resumed when it came.</summary>
    public int Resumes;
    /// <summary>The operation that it holds, while it waits for a flush.</summary>
    public IoOp* Op;

    /// <summary>That of <paramref name="request"/>.</summary>
    public static PassthroughRequest* Of(Request* request) => (PassthroughRequest*)request->Engine;
}

using System;

namespace Weir.Core.Io;

/// <summary>What a client asks.</summary>
public enum RequestKind : byte
{
    /// <summary>Free slot.</summary>
    None,
    /// <summary>Read <see cref="Request.LengthBytes"/> into <see cref="Request.Data"/>.</summary>
    Read,
    /// <summary>Write them from there.</summary>
    Write,
    /// <summary>Make everything acknowledged before durable.</summary>
    Flush,
    /// <summary>The client no longer needs the range; it reads as zeroes.</summary>
    Discard,
    /// <summary>The range shall read as zeroes.</summary>
    WriteZeroes,
}

/// <summary>Modifiers of a request.</summary>
[Flags]
public enum RequestFlags : byte
{
    /// <summary>None.</summary>
    None = 0,
    /// <summary>Acknowledge only when durable.</summary>
    Fua = 1,
    /// <summary>WriteZeroes: fail with ENOTSUP rather than be slow.</summary>
    FastZero = 2,
    /// <summary>WriteZeroes: keep the space allocated.</summary>
    NoHole = 4,
    /// <summary>
    /// A piece of what a client has asked for, or a read of what it is merged with: the frontend has told
    /// <see cref="IVolumeQueue.CountAsked"/> of the whole.
    /// </summary>
    Counted = 8,
}

/// <summary>
/// One client request, in a slot of the frontend's pool. The frontend fills the first part and hands it to
/// <see cref="IVolumeQueue.Submit"/>; it belongs to the engine until <see cref="IVolumeQueue.TakeCompleted"/> returns
/// it.
/// </summary>
/// <remarks>
/// Memory: for reads, <c>Data - (OffsetBytes &amp; 4095)</c> is 4 KiB aligned and the whole blocks that the request
/// touches lie inside the buffer: engines read whole blocks there. For writes any address will do for
/// <c>writeboost</c>; <c>passthrough</c> needs the same alignment as for reads. Offset and length are multiples of 512
/// and inside the volume: the frontend's one validation has seen to that.
/// </remarks>
public unsafe struct Request
{
    /// <summary>What is asked.</summary>
    public RequestKind Kind;
    /// <summary>Modifiers.</summary>
    public RequestFlags Flags;
    /// <summary>0, or a negative errno; set when it completes.</summary>
    public int Result;
    /// <summary>Which of the volume's devices, 0 for its first or only one.</summary>
    public ushort Device;
    /// <summary>First byte on the volume.</summary>
    public long OffsetBytes;
    /// <summary>Bytes; discard and zeroes may be as long as the volume.</summary>
    public long LengthBytes;
    /// <summary>The request's first byte in memory; null where no data goes along.</summary>
    public byte* Data;
    /// <summary>
    /// Of a read: 1 + the number under which devices reach the memory of whoever asked, for bytes that nobody needs to
    /// see; 0: there is none.
    /// </summary>
    public int ClientBuffer;
    /// <summary>Engine: the bytes have gone to <see cref="ClientBuffer"/>, not to <see cref="Data"/>.</summary>
    public bool IsZeroCopied;
    /// <summary>
    /// Of a write whose bytes are not in memory yet: brings <c>length</c> of them, from <c>offset</c> bytes into the
    /// request on, to <c>target</c>; it never fails. <see cref="Data"/> is memory for all of them. Null: they are
    /// there.
    /// </summary>
    public delegate*<Request*, long, byte*, int, void> Fetch;
    /// <summary>Free for the frontend.</summary>
    public ulong Cookie;
    /// <summary>Free for the frontend.</summary>
    public long FrontendA;
    /// <summary>Free for the frontend.</summary>
    public long FrontendB;
    /// <summary>Free for the frontend.</summary>
    public int FrontendInt;

    /// <summary>List link of whoever owns it.</summary>
    public Request* Next;

    /// <summary>
    /// The engine's, for what it has to know of the request while it has it: it lays a struct of its own over this, and
    /// clears it first. Aligned to 8 bytes.
    /// </summary>
    public fixed ulong Engine[EngineBytes / sizeof(ulong)];

    /// <summary>Bytes of <see cref="Engine"/>.</summary>
    public const int EngineBytes = 64;

    /// <summary>
    /// Lets <paramref name="op"/>, the one read that brings all of its request's bytes to
    /// <see cref="Data"/> as they are, bring them to whoever asked instead, if <paramref name="device"/> can.
    /// </summary>
    public static void TryZeroCopy(IoOp* op, DeviceQueue device)
    {
        Request* request = op->Request;
        bool isAll = op->Buffer == request->Data && op->LengthBytes == request->LengthBytes;
        if (request->ClientBuffer == 0 || !isAll || !device.TakesClientBuffers) return;
        op->ClientBuffer = request->ClientBuffer;
        op->Buffer = null;
        request->IsZeroCopied = true;
    }

    /// <summary>A read that failed without a copy goes through memory when it is tried again.</summary>
    /// <returns>It was to do without.</returns>
    public static bool FallBackToMemory(IoOp* op)
    {
        if (op->ClientBuffer == 0) return false;
        op->ClientBuffer = 0;
        op->Buffer = op->Request->Data;
        op->Request->IsZeroCopied = false;
        return true;
    }

    /// <summary>For whoever needs a write's bytes at <see cref="Data"/>: they are there when this returns.</summary>
    public static void FetchAll(Request* request)
    {
        if (request->Fetch == null) return;
        request->Fetch(request, 0, request->Data, (int)request->LengthBytes);
        request->Fetch = null;
    }
}

using System.Runtime.CompilerServices;
using Weir.Core.Base;

namespace Weir.Core.Io;

/// <summary>What an <see cref="IoOp"/> asks of a device or of the ring.</summary>
public enum IoKind : byte
{
    /// <summary>Free slot.</summary>
    None,
    /// <summary>Read into <see cref="IoOp.Buffer"/>.</summary>
    Read,
    /// <summary>Write from <see cref="IoOp.Buffer"/>.</summary>
    Write,
    /// <summary>Make every write that completed before this was submitted durable.</summary>
    Flush,
    /// <summary>Make a range read as zeroes, giving its space back where the device can.</summary>
    Discard,
    /// <summary>Make a range read as zeroes, keeping its space.</summary>
    WriteZeroes,
    /// <summary>Nothing that a device knows: the context's own, as what is done with sockets.</summary>
    Other,
}

/// <summary>
/// One operation in flight: a slot of an <see cref="IoContext"/>'s fixed pool. The submitter fills the request part,
/// the device the result; the handler owns it again from its completion on, and releases it.
/// Rebuilt from the idea of TigerBeetle's <c>iops.zig</c>: the pool's size is the back-pressure.
/// </summary>
public unsafe struct IoOp
{
    /// <summary>What is asked.</summary>
    public IoKind Kind;
    /// <summary>Whose completion this is: index into the context's handlers.</summary>
    public ushort Handler;
    /// <summary>The handler's own name for this step.</summary>
    public byte Step;
    /// <summary>How often it has been tried again.</summary>
    public byte Attempts;
    /// <summary>
    /// Of a <see cref="IoKind.Write"/>: durable when it completes, whatever is true of other writes. Only for devices
    /// that say <see cref="Device.CanWriteDurably"/>.
    /// </summary>
    public bool Durable;
    /// <summary>
    /// Of a range operation: writers wait for it. What needs memory of the kernel's own, for which these may be waited
    /// for in turn, is better done without.
    /// </summary>
    public bool IsPressing;
    /// <summary>Byte offset on the device. A multiple of the device's logical block.</summary>
    public long OffsetBytes;
    /// <summary>Bytes asked for. A multiple of the device's logical block.</summary>
    public long LengthBytes;
    /// <summary>Memory; with <see cref="ClientBuffer"/> the offset in that.</summary>
    public void* Buffer;
    /// <summary>
    /// Of a read: as <see cref="Request.ClientBuffer"/>, where it goes without a copy; 0 for memory. Only for devices
    /// that say <see cref="DeviceQueue.TakesClientBuffers"/>.
    /// </summary>
    public int ClientBuffer;
    /// <summary>Bytes done, or a negative errno (kernel convention). A device never reports a short success.</summary>
    public int Result;
    private fixed ulong _own[OwnBytes / sizeof(ulong)];
    /// <summary>The request this belongs to, if any.</summary>
    public Request* Request;
    /// <summary>List link: free list, completion list, or the handler's own list.</summary>
    public IoOp* Next;
    private fixed ulong _deviceState[DeviceStateBytes / sizeof(ulong)];
    /// <summary>
    /// The completion is held back until then, on the context's clock (the slow disk); 0 for at once.
    /// </summary>
    public long DueUs;
    /// <summary>Position in the pool. Never changes.</summary>
    public int Index;
    /// <summary>Counts the slot's uses, so that a stale completion is recognised.</summary>
    public uint Generation;

    /// <summary>Bytes that a handler has for itself.</summary>
    public const int OwnBytes = 32;

    /// <summary>Bytes that a device has for itself.</summary>
    public const int DeviceStateBytes = 24;

    /// <summary>
    /// What the handler has to know of the operation until its completion: a struct of its own, zero at first. The
    /// operation is in the pool, and does not move.
    /// </summary>
    public ref T Own<T>()
        where T : unmanaged
    {
        Invariant.Check(sizeof(T) <= OwnBytes);
        return ref Unsafe.As<ulong, T>(ref _own[0]);
    }

    /// <summary>The same for the device, or whatever else of the context has it.</summary>
    public ref T DeviceState<T>()
        where T : unmanaged
    {
        Invariant.Check(sizeof(T) <= DeviceStateBytes);
        return ref Unsafe.As<ulong, T>(ref _deviceState[0]);
    }
}

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
    /// <summary>Ring only: accept a connection.</summary>
    Accept,
    /// <summary>Ring only: receive from a socket.</summary>
    Receive,
    /// <summary>Ring only: send iovecs to a socket.</summary>
    Send,
    /// <summary>Ring only: the wake-up of another thread.</summary>
    Wake,
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
    public byte Handler;
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
    /// <summary>Number of iovecs, for <see cref="IoKind.Send"/>.</summary>
    public int VectorCount;
    /// <summary>Byte offset on the device. A multiple of the device's logical block.</summary>
    public long OffsetBytes;
    /// <summary>Bytes asked for. A multiple of the device's logical block.</summary>
    public long LengthBytes;
    /// <summary>Memory, or the first iovec; with <see cref="RingBuffer"/> the offset in that.</summary>
    public void* Buffer;
    /// <summary>
    /// Of a read: 1 + the number of a buffer that the ring knows and we cannot see; 0 for memory. Only for devices
    /// that say <see cref="DeviceQueue.TakesRingBuffers"/>.
    /// </summary>
    public int RingBuffer;
    /// <summary>Bytes done, or a negative errno (kernel convention). A device never reports a short success.</summary>
    public int Result;
    /// <summary>Free for the handler.</summary>
    public int UserInt;
    /// <summary>Free for the handler.</summary>
    public long UserA;
    /// <summary>Free for the handler.</summary>
    public long UserB;
    /// <summary>The request this belongs to, if any.</summary>
    public Request* Request;
    /// <summary>List link: free list, completion list, or the handler's own list.</summary>
    public IoOp* Next;
    /// <summary>Device's private use (the ring: descriptor and state).</summary>
    public long DeviceA;
    /// <summary>Device's private use (the ring: bytes done).</summary>
    public long DeviceB;
    /// <summary>
    /// The completion is held back until then, on the context's clock (the slow disk); 0 for at once.
    /// </summary>
    public long DueUs;
    /// <summary>Which device queue of the context has it; -1 for none.</summary>
    public int DeviceQueue;
    /// <summary>Position in the pool. Never changes.</summary>
    public int Index;
    /// <summary>Counts the slot's uses, so that a stale completion is recognised.</summary>
    public uint Generation;
}

using System.Threading;

namespace Weir.Native.Uring;

/// <summary>
/// The submission side of the shared memory. We alone write the tail, the kernel alone writes the head; entries are
/// used in ring order, so the index array is the identity and is written once.
/// </summary>
public unsafe struct SubmissionQueue
{
    private readonly uint* _kernelHead;
    private readonly uint* _kernelTail;
    private readonly uint* _kernelFlags;
    private readonly byte* _entries;
    private readonly uint _mask;
    private readonly int _entryBytes;
    // Ours to write, so a copy is always current.
    private uint _tail;

    internal SubmissionQueue(byte* ring, byte* entries, in io_uring_params parameters, int entryBytes)
    {
        _kernelHead = (uint*)(ring + parameters.sq_off.head);
        _kernelTail = (uint*)(ring + parameters.sq_off.tail);
        _kernelFlags = (uint*)(ring + parameters.sq_off.flags);
        _mask = *(uint*)(ring + parameters.sq_off.ring_mask);
        _entries = entries;
        _entryBytes = entryBytes;
        _tail = *_kernelTail;
        uint* array = (uint*)(ring + parameters.sq_off.array);
        for (uint i = 0; i < parameters.sq_entries; i++) array[i] = i;
    }

    /// <summary>Entries published and not yet taken by the kernel.</summary>
    public readonly uint Pending => _tail - Volatile.Read(ref *_kernelHead);

    /// <summary>IORING_SQ_ flags that the kernel raises.</summary>
    public readonly uint Flags => Volatile.Read(ref *_kernelFlags);

    /// <summary>The next entry to fill, or null when the queue is full: submit first.</summary>
    public readonly io_uring_sqe* TryReserve() =>
        Pending > _mask ? null : (io_uring_sqe*)(_entries + (long)(_tail & _mask) * _entryBytes);

    /// <summary>Hands the reserved entry, filled in by now, over to the next submission.</summary>
    public void Publish()
    {
        _tail++;
        Volatile.Write(ref *_kernelTail, _tail);
    }
}

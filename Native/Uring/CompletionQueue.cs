using System;
using System.Threading;

namespace Weir.Native.Uring;

/// <summary>
/// The completion side of the shared memory: the kernel alone writes the tail, we alone write the head.
/// </summary>
public unsafe struct CompletionQueue
{
    private readonly uint* _kernelHead;
    private readonly uint* _kernelTail;
    private readonly byte* _entries;
    private readonly uint _mask;
    private readonly int _entryBytes;
    // Ours to write, so a copy is always current.
    private uint _head;

    internal CompletionQueue(byte* ring, in io_uring_params parameters, int entryBytes)
    {
        _kernelHead = (uint*)(ring + parameters.cq_off.head);
        _kernelTail = (uint*)(ring + parameters.cq_off.tail);
        _mask = *(uint*)(ring + parameters.cq_off.ring_mask);
        _entries = ring + parameters.cq_off.cqes;
        _entryBytes = entryBytes;
        _head = *_kernelHead;
    }

    /// <summary>Completions to collect.</summary>
    public readonly uint Ready => Volatile.Read(ref *_kernelTail) - _head;

    /// <summary>
    /// Copies out up to the length of <paramref name="batch"/>, frees their places, returns how many.
    /// </summary>
    public int CopyOut(Span<io_uring_cqe> batch)
    {
        int count = (int)Math.Min(Ready, (uint)batch.Length);
        for (int i = 0; i < count; i++)
            batch[i] = *(io_uring_cqe*)(_entries + (long)((_head + (uint)i) & _mask) * _entryBytes);
        _head += (uint)count;
        Volatile.Write(ref *_kernelHead, _head);
        return count;
    }
}

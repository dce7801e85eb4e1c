using System;
using static Weir.Native.Uring.UringConst;

namespace Weir.Native.Uring;

/// <summary>
/// One io_uring: set up, mapped, entered and registered by raw system calls. Single issuer: only the thread that made
/// it may use it. Completions are delivered only inside <see cref="Enter"/> (deferred task run).
/// </summary>
public sealed unsafe class Ring : IDisposable
{
    private const uint BaseFlags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL
        | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;

    private int _fd = -1;
    private byte* _ring;
    private nuint _ringBytes;
    private byte* _entries;
    private nuint _entriesBytes;

    /// <summary>Submission side. Mutable struct: never copy it.</summary>
    public SubmissionQueue Submission;

    /// <summary>Completion side. Mutable struct: never copy it.</summary>
    public CompletionQueue Completion;

    /// <summary>
    /// Sets a ring up on the calling thread, which becomes its only user. <paramref name="extraFlags"/> may add
    /// IORING_SETUP_SQE128 and IORING_SETUP_CQE32. Throws <see cref="NativeException"/> with one line for the user
    /// when the kernel is too old or io_uring is disabled.
    /// </summary>
    public Ring(uint submissionEntries, uint completionEntries, uint extraFlags = 0)
    {
        io_uring_params parameters = default;
        parameters.flags = BaseFlags | extraFlags;
        parameters.cq_entries = completionEntries;
        long fd = Libc.Result(LibcImports.syscall2(__NR_io_uring_setup, (nint)submissionEntries, (nint)(&parameters)));
        if (fd < 0) throw new NativeException(Features.SetupProblem((int)-fd), (int)-fd);
        _fd = (int)fd;
        FeatureBits = parameters.features;
        try
        {
            Features.Require(this);
            MapRings(parameters);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>IORING_FEAT_ bits of the kernel.</summary>
    public uint FeatureBits { get; }

    /// <summary>The ring's own descriptor, for IORING_OP_MSG_RING from other rings.</summary>
    public int Descriptor => _fd;

    /// <summary>
    /// io_uring_enter: submits up to <paramref name="submit"/> entries, runs deferred work, and waits for
    /// <paramref name="waitFor"/> completions or until <paramref name="timeout"/> (null: for ever).
    /// Returns the number submitted, or <c>-errno</c>: <c>-ETIME</c>, <c>-EINTR</c>, <c>-EBUSY</c> are no failures.
    /// </summary>
    public int Enter(uint submit, uint waitFor, __kernel_timespec* timeout)
    {
        io_uring_getevents_arg argument = default;
        argument.ts = (ulong)timeout;
        const uint flags = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG;
        return (int)Libc.Result(LibcImports.syscall6(__NR_io_uring_enter, _fd, (nint)submit, (nint)waitFor,
            (nint)flags, (nint)(&argument), sizeof(io_uring_getevents_arg)));
    }

    /// <summary>io_uring_enter that only submits: the way on when the queue is full. As <see cref="Enter"/>.</summary>
    public int Submit(uint submit) =>
        (int)Libc.Result(LibcImports.syscall6(__NR_io_uring_enter, _fd, (nint)submit, 0, 0, 0, 0));

    /// <summary>io_uring_register. Returns 0 or more, or <c>-errno</c>.</summary>
    public int Register(uint opcode, void* argument, uint count) =>
        (int)Libc.Result(LibcImports.syscall4(__NR_io_uring_register, _fd, (nint)opcode, (nint)argument, (nint)count));

    /// <summary>
    /// Lets the kernel have at most so many threads for what the calling thread's requests cannot do at once: 0, or
    /// <c>-errno</c>.
    /// </summary>
    public int LimitWorkers(uint most)
    {
        // For files and block devices, and for everything else.
        uint* limits = stackalloc uint[2] { most, most };
        return Register(IORING_REGISTER_IOWQ_MAX_WORKERS, limits, 2);
    }

    /// <summary>
    /// An empty table of <paramref name="count"/> registered files or buffers, to be filled by updates.
    /// </summary>
    public int RegisterSparse(bool files, uint count)
    {
        io_uring_rsrc_register argument = default;
        argument.nr = count;
        argument.flags = IORING_RSRC_REGISTER_SPARSE;
        uint opcode = files ? IORING_REGISTER_FILES2 : IORING_REGISTER_BUFFERS2;
        return Register(opcode, &argument, (uint)sizeof(io_uring_rsrc_register));
    }

    /// <summary>Puts a file into the table, or empties the place with -1. 0, or <c>-errno</c>.</summary>
    public int UpdateFile(int index, int fd) => Update(IORING_REGISTER_FILES_UPDATE2, index, &fd);

    /// <summary>
    /// Puts a buffer of at most 1 GiB into the table; length 0 empties the place. 0, or <c>-errno</c>:
    /// <c>-ENOMEM</c> when the memory-lock limit forbids it.
    /// </summary>
    public int UpdateBuffer(int index, void* start, long lengthBytes)
    {
        iovec vector = new() { iov_base = start, iov_len = (nuint)lengthBytes };
        return Update(IORING_REGISTER_BUFFERS_UPDATE, index, &vector);
    }

    /// <summary>Unmaps and closes. The kernel finishes what is in flight later: see that nothing is.</summary>
    public void Dispose()
    {
        byte* ring = _ring, entries = _entries;
        int fd = _fd;
        _ring = _entries = null;
        _fd = -1;
        Submission = default;
        Completion = default;
        if (entries != null) _ = Libc.Unmap(entries, _entriesBytes);
        if (ring != null) _ = Libc.Unmap(ring, _ringBytes);
        if (fd >= 0) _ = Libc.Close(fd);
    }

    private int Update(uint opcode, int index, void* data)
    {
        io_uring_rsrc_update2 argument = default;
        argument.offset = (uint)index;
        argument.data = (ulong)data;
        argument.nr = 1;
        int result = Register(opcode, &argument, (uint)sizeof(io_uring_rsrc_update2));
        return result < 0 ? result : 0;
    }

    private void MapRings(in io_uring_params parameters)
    {
        int entryBytes = (parameters.flags & IORING_SETUP_SQE128) != 0 ? 128 : 64;
        int completionBytes = (parameters.flags & IORING_SETUP_CQE32) != 0 ? 32 : 16;
        ulong submissionEnd = parameters.sq_off.array + (ulong)parameters.sq_entries * sizeof(uint);
        ulong completionEnd = parameters.cq_off.cqes + (ulong)parameters.cq_entries * (ulong)completionBytes;
        _ringBytes = (nuint)Math.Max(submissionEnd, completionEnd);
        _entriesBytes = (nuint)((ulong)parameters.sq_entries * (ulong)entryBytes);
        CheckOffsets(parameters);
        _ring = Map(_ringBytes, IORING_OFF_SQ_RING);
        _entries = Map(_entriesBytes, IORING_OFF_SQES);
        CheckMasks(parameters);
        Submission = new SubmissionQueue(_ring, _entries, parameters, entryBytes);
        Completion = new CompletionQueue(_ring, parameters, completionBytes);
    }

    private byte* Map(nuint length, ulong offset) => (byte*)NativeException.Check(
        Libc.Map(length, Const.PROT_READ | Const.PROT_WRITE, Const.MAP_SHARED | Const.MAP_POPULATE, _fd, (long)offset),
        "cannot map io_uring's queues");

    /// <summary>
    /// Every word that we form a pointer to lies inside the mapping: pointers come from the kernel's numbers.
    /// </summary>
    private void CheckOffsets(in io_uring_params parameters)
    {
        ref readonly io_sqring_offsets sq = ref parameters.sq_off;
        ref readonly io_cqring_offsets cq = ref parameters.cq_off;
        ReadOnlySpan<uint> words =
            [sq.head, sq.tail, sq.ring_mask, sq.flags, sq.array, cq.head, cq.tail, cq.ring_mask, cq.cqes];
        foreach (uint offset in words)
            if (offset % sizeof(uint) != 0 || offset + sizeof(uint) > _ringBytes)
                throw new NativeException($"io_uring reports an offset of {offset} outside its {_ringBytes} bytes");
    }

    private void CheckMasks(in io_uring_params parameters)
    {
        uint submission = *(uint*)(_ring + parameters.sq_off.ring_mask);
        uint completion = *(uint*)(_ring + parameters.cq_off.ring_mask);
        if (submission != parameters.sq_entries - 1 || completion != parameters.cq_entries - 1)
            throw new NativeException($"io_uring reports masks {submission} and {completion} for "
                + $"{parameters.sq_entries} and {parameters.cq_entries} entries");
    }
}

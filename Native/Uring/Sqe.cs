using static Weir.Native.Uring.UringConst;

namespace Weir.Native.Uring;

/// <summary>
/// One writer per opcode. Each sets every field of the entry, because the ring hands out used memory. The caller has
/// zeroed nothing; with SQE128 the second half belongs to the command's own writer.
/// </summary>
public static unsafe class Sqe
{
    /// <summary>Reads <paramref name="lengthBytes"/> at <paramref name="offset"/>; -1 reads a stream.</summary>
    public static void Read(
        io_uring_sqe* sqe, FileRef file, void* buffer, uint lengthBytes, long offset, ulong userData) =>
        Write(sqe, UringOp.IORING_OP_READ, file, (ulong)offset, (ulong)buffer, lengthBytes, 0, userData);

    /// <summary>Reads into a registered buffer that holds the whole range.</summary>
    public static void ReadFixed(
        io_uring_sqe* sqe, FileRef file, void* buffer, uint lengthBytes, long offset, int bufferIndex, ulong userData)
    {
        Write(sqe, UringOp.IORING_OP_READ_FIXED, file, (ulong)offset, (ulong)buffer, lengthBytes, 0, userData);
        sqe->buf_index = (ushort)bufferIndex;
    }

    /// <summary>Writes <paramref name="lengthBytes"/> at <paramref name="offset"/>.</summary>
    public static void Write(
        io_uring_sqe* sqe, FileRef file, void* buffer, uint lengthBytes, long offset, ulong userData) =>
        Write(sqe, UringOp.IORING_OP_WRITE, file, (ulong)offset, (ulong)buffer, lengthBytes, 0, userData);

    /// <summary>Writes from a registered buffer that holds the whole range.</summary>
    public static void WriteFixed(
        io_uring_sqe* sqe, FileRef file, void* buffer, uint lengthBytes, long offset, int bufferIndex, ulong userData)
    {
        Write(sqe, UringOp.IORING_OP_WRITE_FIXED, file, (ulong)offset, (ulong)buffer, lengthBytes, 0, userData);
        sqe->buf_index = (ushort)bufferIndex;
    }

    /// <summary>fdatasync: offset and length 0 mean the whole file.</summary>
    public static void DataSync(io_uring_sqe* sqe, FileRef file, ulong userData) =>
        Write(sqe, UringOp.IORING_OP_FSYNC, file, 0, 0, 0, IORING_FSYNC_DATASYNC, userData);

    /// <summary>fallocate: the length travels in addr, the mode in len.</summary>
    public static void Allocate(
        io_uring_sqe* sqe, FileRef file, int mode, long offset, long lengthBytes, ulong userData) =>
        Write(sqe, UringOp.IORING_OP_FALLOCATE, file, (ulong)offset, (ulong)lengthBytes, (uint)mode, 0, userData);

    /// <summary>accept4 without the peer's address; the result is a blocking, close-on-exec descriptor.</summary>
    public static void Accept(io_uring_sqe* sqe, FileRef file, ulong userData) =>
        Write(sqe, UringOp.IORING_OP_ACCEPT, file, 0, 0, 0, Const.SOCK_CLOEXEC, userData);

    /// <summary>recv: as soon as there is anything.</summary>
    public static void Receive(io_uring_sqe* sqe, FileRef file, void* buffer, uint lengthBytes, ulong userData) =>
        Write(sqe, UringOp.IORING_OP_RECV, file, 0, (ulong)buffer, lengthBytes, 0, userData);

    /// <summary>sendmsg; one header, hence len 1.</summary>
    public static void Send(io_uring_sqe* sqe, FileRef file, msghdr* message, uint flags, ulong userData) =>
        Write(sqe, UringOp.IORING_OP_SENDMSG, file, 0, (ulong)message, 1, flags, userData);

    /// <summary>
    /// A driver's own command; <paramref name="address"/> is for those that read it. The caller fills the command's 16
    /// bytes at <c>addr3</c>, or 80 in a long entry.
    /// </summary>
    public static void Command(io_uring_sqe* sqe, FileRef file, uint operation, ulong address, ulong userData) =>
        Write(sqe, UringOp.IORING_OP_URING_CMD, file, operation, address, 0, 0, userData);

    /// <summary>Cancels the request that carries <paramref name="target"/> as its user data.</summary>
    public static void Cancel(io_uring_sqe* sqe, ulong target, ulong userData) =>
        Write(sqe, UringOp.IORING_OP_ASYNC_CANCEL, FileRef.None, 0, target, 0, 0, userData);

    /// <summary>Cancels every request on a plain descriptor.</summary>
    public static void CancelFile(io_uring_sqe* sqe, int fd, ulong userData) => Write(
        sqe, UringOp.IORING_OP_ASYNC_CANCEL, new FileRef(fd, false), 0, 0, 0,
        IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_ALL, userData);

    /// <summary>Cancels every request of the ring.</summary>
    public static void CancelAll(io_uring_sqe* sqe, ulong userData) => Write(
        sqe, UringOp.IORING_OP_ASYNC_CANCEL, FileRef.None, 0, 0, 0,
        IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL, userData);

    /// <summary>Does nothing, in order to complete.</summary>
    public static void Nop(io_uring_sqe* sqe, ulong userData) =>
        Write(sqe, UringOp.IORING_OP_NOP, FileRef.None, 0, 0, 0, 0, userData);

    private static void Write(
        io_uring_sqe* sqe, UringOp opcode, FileRef file, ulong off, ulong addr, uint len, uint flags, ulong userData)
    {
        sqe->opcode = (byte)opcode;
        sqe->flags = file.IsFixed ? IOSQE_FIXED_FILE : (byte)0;
        sqe->ioprio = 0; // no I/O class, no multishot
        sqe->fd = file.Value;
        sqe->off = off;
        sqe->addr = addr;
        sqe->len = len;
        sqe->rw_flags = flags;
        sqe->user_data = userData;
        sqe->buf_index = 0; // the fixed variants set it
        sqe->personality = 0; // our own credentials
        sqe->file_index = 0; // results are plain descriptors
        sqe->addr3 = 0;
        sqe->__pad2 = 0;
    }
}

/// <summary>A descriptor, or the place of one in the ring's table of registered files.</summary>
/// <param name="Value">Descriptor or index.</param>
/// <param name="IsFixed">It is an index.</param>
public readonly record struct FileRef(int Value, bool IsFixed)
{
    /// <summary>For requests on no file.</summary>
    public static FileRef None => new(-1, false);
}

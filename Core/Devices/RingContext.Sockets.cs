using Weir.Core.Io;
using Weir.Native;
using Weir.Native.Uring;

namespace Weir.Core.Devices;

public sealed unsafe partial class RingContext
{
    /// <summary>Accepts one connection on <paramref name="fd"/>: the result is a blocking descriptor.</summary>
    public void Accept(IoOp* op, int fd) => Begin(op, SocketVerb.Accept, fd);

    /// <summary>
    /// Receives up to <see cref="IoOp.LengthBytes"/> into <see cref="IoOp.Buffer"/>; the result may be less, and 0 is
    /// the end of the stream.
    /// </summary>
    public void Receive(IoOp* op, int fd) => Begin(op, SocketVerb.Receive, fd);

    /// <summary>
    /// Sends <paramref name="vectorCount"/> iovecs at <see cref="IoOp.Buffer"/> whole. A result below their sum means
    /// that the connection broke half way. The iovecs must stay until the completion.
    /// </summary>
    public void Send(IoOp* op, int fd, int vectorCount) => Begin(op, SocketVerb.Send, fd, vectorCount);

    /// <summary>
    /// Asks for the end of an operation that this context has in flight. It completes once, as ever: with
    /// <c>-ECANCELED</c>, or with its result if that came first. Device I/O under way is not interrupted.
    /// </summary>
    public void Cancel(IoOp* op)
    {
        Sqe.Cancel(NextEntry(), UserData(op), IgnoreMark);
        _ring.Submission.Publish();
    }

    /// <summary>
    /// As <see cref="Cancel"/>, for everything on a plain descriptor; close it after their completions.
    /// </summary>
    public void CancelFd(int fd)
    {
        Sqe.CancelFile(NextEntry(), fd, IgnoreMark);
        _ring.Submission.Publish();
    }

    private void Begin(IoOp* op, SocketVerb verb, int fd, int vectorCount = 0)
    {
        op->Kind = IoKind.Other;
        op->DeviceState<SocketOp>() = new SocketOp
        {
            Queue = SocketOp.NoQueue, Descriptor = fd, Verb = verb, VectorCount = vectorCount,
        };
        Issue(op);
    }

    private void Issue(IoOp* op)
    {
        ref SocketOp socket = ref op->DeviceState<SocketOp>();
        FileRef file = new(socket.Descriptor, false);
        io_uring_sqe* sqe = NextEntry();
        if (socket.Verb == SocketVerb.Accept) Sqe.Accept(sqe, file, UserData(op));
        else if (socket.Verb == SocketVerb.Receive)
            Sqe.Receive(sqe, file, op->Buffer, checked((uint)op->LengthBytes), UserData(op));
        else Sqe.Send(sqe, file, Message(op), Const.MSG_NOSIGNAL | Const.MSG_WAITALL, UserData(op));
        PublishOp();
    }

    /// <summary>The header must outlive the system call: each slot of the pool has one of its own.</summary>
    private msghdr* Message(IoOp* op)
    {
        msghdr* message = &_messages[op->Index];
        *message = default;
        message->msg_iov = (iovec*)op->Buffer;
        message->msg_iovlen = (nuint)op->DeviceState<SocketOp>().VectorCount;
        return message;
    }

    private void FinishSocket(IoOp* op, int result)
    {
        // Blocking sockets do not say EAGAIN; if the kernel ever passes one on, asking again is right.
        if (result == -Errno.EAGAIN) Issue(op);
        // A running request that is cancelled may be interrupted instead.
        else Complete(op, result == -Errno.EINTR ? -Errno.ECANCELED : result);
    }
}

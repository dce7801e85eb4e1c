using System;
using System.Threading;
using Weir.Core.Io;
using Weir.Frontends;

namespace Weir.Tests.Nbd;

/// <summary>A frontend that counts its messages and throws when told.</summary>
internal sealed unsafe class IdleFrontend : IQueueFrontend
{
    public long Received;
    public bool IsStopping;
    public bool IsDisposed;
    public Exception? Throw;

    public bool HasWork => false;

    public long DeadlineUs => long.MaxValue;

    public bool MayRefuseAtStop => false;

    public bool IsStopped => IsStopping;

    public void Open(QueueThread thread)
    {
        if (Throw != null) throw Throw;
    }

    public void Receive(QueueMessage message)
    {
        if (message.Value < 0) throw new InvalidOperationException("told to");
        Interlocked.Add(ref Received, message.Value);
    }

    public void Step(long nowUs)
    {
    }

    public void Complete(Request* request)
    {
    }

    public void EndTurn(long nowUs)
    {
    }

    public void BeginStop(long nowUs) => IsStopping = true;

    public void Dispose() => IsDisposed = true;
}

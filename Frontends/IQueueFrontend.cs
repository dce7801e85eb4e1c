using System;
using Weir.Core.Io;

namespace Weir.Frontends;

/// <summary>
/// One queue's part of a frontend: where requests come from and where replies go. Everything is called on the queue's
/// thread, once per turn of its loop and in the order of the members; nothing here blocks or allocates after start.
/// </summary>
internal unsafe interface IQueueFrontend : IDisposable
{
    /// <summary>The thread has its context and its volumes; requests may come.</summary>
    void Open(QueueThread thread);

    /// <summary>A message another thread posted.</summary>
    void Receive(QueueMessage message);

    /// <summary>Parses what completions brought and submits it.</summary>
    void Step(long nowUs);

    /// <summary>The engine has answered.</summary>
    void Complete(Request* request);

    /// <summary>All answers of this turn are in: prepares the replies.</summary>
    void EndTurn(long nowUs);

    /// <summary><see cref="Step"/> can go on at once: the loop must not sleep.</summary>
    bool HasWork { get; }

    /// <summary>When the loop shall turn at the latest.</summary>
    long DeadlineUs { get; }

    /// <summary>Takes no more requests, answers those in progress.</summary>
    void BeginStop(long nowUs);

    /// <summary>
    /// At a stop, a request that still waits for room may fail (ESHUTDOWN): whoever asked has not been told it
    /// succeeded, and can keep the data.
    /// </summary>
    bool MayRefuseAtStop { get; }

    /// <summary>Nothing is in progress any more; follows <see cref="BeginStop"/>.</summary>
    bool IsStopped { get; }
}

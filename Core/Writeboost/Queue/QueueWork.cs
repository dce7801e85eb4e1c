using System;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Bypass;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Queue;

/// <summary>One queue's own ways to the devices.</summary>
/// <param name="Log">To the log.</param>
/// <param name="Cache">To the cache device beside it.</param>
/// <param name="Backings">To the backing devices.</param>
/// <param name="Flusher">To make durable there what went round the log.</param>
/// <param name="Fallback">To them without the cache.</param>
internal sealed record QueuePorts(
    LogPort Log, DeviceQueue Cache, BackingQueues Backings, BackingFlusher Flusher, FallbackQueue Fallback);

/// <summary>What the first queue does that no client has asked for.</summary>
/// <param name="Background">What it polls.</param>
/// <param name="Owner">Gives native memory back, when nothing is under way.</param>
internal sealed record QueueWork(BackgroundTasks Background, IDisposable Owner) : IDisposable
{
    /// <inheritdoc/>
    public void Dispose() => Owner.Dispose();
}

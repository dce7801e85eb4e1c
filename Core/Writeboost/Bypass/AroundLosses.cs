using Weir.Core.Base;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Bypass;

/// <summary>
/// A flush of a backing device has failed: what went round the log may be lost, and nobody can repeat it (R6). Clients
/// hear of it until they say that they have.
/// </summary>
internal sealed class AroundLosses(
    WritesAround around, CleanValidity clean, BackingTable backings, VolumeHealth health, QueueSet queues)
{
    /// <summary>
    /// By whoever has the flush lock, of a flush of its own: write-back repeats what it had written, and nobody else
    /// can repeat what went round.
    /// </summary>
    public void ReportFlush(int id, int errno)
    {
        if (Mutant.Is(WriteboostMutant.R6OthersFailureIgnored) || !around.NoteFailedFlush(id)) return;
        Hold(id, errno);
        queues.WakeAll();
    }

    /// <summary>
    /// The device has perhaps forgotten what went round. What was read from it since may not be what it has later.
    /// </summary>
    public void Hold(int id, int errno)
    {
        clean.Outdate();
        health.Hold(Trouble.AroundFlush, $"backing device {backings.NameOf(id)}: a flush failed: {Errno.Text(errno)}; "
            + $"up to {around.Unflushed} may be lost, and flushes fail until 'weir message resume'");
    }
}

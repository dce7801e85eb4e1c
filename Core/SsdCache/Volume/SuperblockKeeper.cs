using System;
using Weir.Core.Base;
using Weir.Core.Metadata;
using Weir.Core.SsdCache.Format;
using Weir.Core.Volumes;

namespace Weir.Core.SsdCache.Volume;

/// <summary>
/// Writes the superblock while the volume is served: when a flush has failed, which the next start has to know (B6),
/// and at the orderly stop. On the first queue's thread.
/// </summary>
internal sealed unsafe class SuperblockKeeper : IBackgroundTask, IDisposable
{
    private readonly SsdCacheVolume _volume;
    private readonly TwoCopyWriter _writer;
    private bool _hasNoted;

    /// <summary>On the thread of <paramref name="queues"/>.</summary>
    public SuperblockKeeper(SsdCacheVolume volume, DataQueues queues)
    {
        _volume = volume;
        // Nobody flushes any more when it is written: after a failed flush, and at the end.
        _writer = new TwoCopyWriter(SsdSuperblock.Bytes, queues.Cache, queues.Io);
    }

    /// <inheritdoc/>
    public bool IsQuiet => !_writer.IsBusy;

    /// <summary>How the last update has ended: 0, or a negative errno.</summary>
    public int Result => _writer.Result;

    /// <inheritdoc/>
    public long DeadlineUs => MustNote && !_writer.IsBusy ? 0 : long.MaxValue;

    // A flush that fails at the stop is noted, too: the stop's own update comes after.
    private bool MustNote => _volume.Devices.FlushError < 0 && !_hasNoted && !Mutant.Is(SsdCacheMutant.B6LossNotNoted);

    /// <inheritdoc/>
    public void Poll(long nowUs, BackgroundState state)
    {
        _writer.Poll();
        if (!MustNote || _writer.IsBusy) return;
        _hasNoted = true;
        Write(isClean: false);
    }

    /// <summary>The orderly stop: all pages are closed, unless something has failed.</summary>
    public void BeginLast()
    {
        bool isWhole = _volume.Tickets.Failure == null && _volume.Devices.FlushError == 0;
        if (isWhole || MustNote) Write(isWhole);
        _hasNoted = true;
    }

    /// <inheritdoc/>
    public void Dispose() => _writer.Dispose();

    private void Write(bool isClean)
    {
        SsdSuperblock next = _volume.Head;
        next.Generation++;
        next.Flags = isClean ? SsdSuperblock.CleanFlag : 0;
        if (_volume.Devices.Cache.HasLostFlush) next.Flags |= SsdSuperblock.LostCacheFlushFlag;
        if (_volume.Devices.Backing.HasLostFlush) next.Flags |= SsdSuperblock.LostBackingFlushFlag;
        if (isClean) (next.BootId, next.RamFolder) = ("", "");
        SsdSuperblock.Seal(&next);
        _volume.NoteHead(next);
        Buffer.MemoryCopy(&next, _writer.Pointer, SsdSuperblock.Bytes, SsdSuperblock.Bytes);
        _writer.Begin(SsdSuperblock.CopyAOffset, SsdSuperblock.CopyBOffset);
    }
}

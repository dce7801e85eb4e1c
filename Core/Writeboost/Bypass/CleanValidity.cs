using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Settings;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Bypass;

/// <summary>
/// Which of the clean blocks that are logged the next start may believe in (R10): what has been written round them, or
/// may have been, outdates them.
/// </summary>
/// <remarks>
/// <c>_outdated</c> is raised by any thread before it changes what clean blocks rely on. <see cref="Settle"/> puts it
/// into the superblock, on the first queue's thread, when all has come to rest.
/// </remarks>
internal sealed class CleanValidity
{
    private readonly SegmentLog _log;
    private readonly SuperblockState _superblock;
    private readonly BackingTable _backings;
    private readonly Device _cache;
    private readonly WriteboostOptions _options;
    private readonly long _keptEnd;
    private readonly bool _wasAbsent;
    private long _outdated;

    /// <summary>
    /// Of a log as it was found: <paramref name="keptEnd"/> ends what a drain of an earlier life had written before it
    /// was called off; <paramref name="wasAbsent"/>: not all devices were given.
    /// </summary>
    public CleanValidity(
        SegmentLog log, SuperblockState superblock, BackingTable backings, Device cache, WriteboostOptions options,
        long keptEnd, bool wasAbsent)
    {
        (_log, _superblock, _backings, _cache, _options) = (log, superblock, backings, cache, options);
        (_keptEnd, _wasAbsent) = (keptEnd, wasAbsent);
        // What was kept is in no index: whoever writes round it leaves nothing to tell by.
        if (keptEnd > superblock.Now.MarkPosition) _outdated = keptEnd;
    }

    /// <summary>
    /// What a drain of an earlier life had written lies in the log until the mark passes it: a start believes that the
    /// backing device has it as the log says.
    /// </summary>
    public bool HasKeptBlocks => _log.DirtyPosition < _keptEnd;

    /// <summary>Clean blocks logged so far may be out of date for the next start: a write goes round them.</summary>
    public void Outdate() => AtomicMax.Raise(ref _outdated, _log.ReservedEnd);

    /// <summary>
    /// The next start cannot see whether somebody else has written to the devices: nothing may depend on that.
    /// </summary>
    public void OutdateUnnoted(int error)
    {
        if (Mutant.Is(WriteboostMutant.R10UnnotedIsWarm)) return;
        Outdate();
        _options.Log($"{_cache.Name}: writing the samples of devices failed: {Errno.Text(error)}: of what is cached "
            + "only what is dirty counts at the next start");
    }

    /// <summary>
    /// All is at rest: the superblock says what counts. What has left the index, below segment
    /// <paramref name="firstKept"/>, does not come back: a write may have gone round it. Nor what is of a device that
    /// was away: it may have changed there.
    /// </summary>
    public void Settle(long firstKept)
    {
        if (_wasAbsent || _backings.Absent.Length > 0) Outdate();
        ref Superblock superblock = ref _superblock.Now;
        (long sequence, uint checksum) = _log.Chain;
        if (Mutant.Is(WriteboostMutant.R10ForgottenIsWarm)) firstKept = _log.TailSegment;
        (superblock.WarmPosition, superblock.WarmEpoch) = (_log.Geometry.Position(firstKept, 0), superblock.Epoch);
        superblock.Flags |= Superblock.CleanFlag;
        if (!Mutant.Is(WriteboostMutant.R10OutdatedKept)) Void(ref superblock, Volatile.Read(ref _outdated));
        superblock.Settle(Math.Max(_log.DurableRecord, superblock.MarkPosition), sequence, checksum);
    }

    private static void Void(ref Superblock superblock, long position)
    {
        superblock.CleanPosition = Math.Max(superblock.CleanPosition, position);
        superblock.AroundPosition = Math.Max(superblock.AroundPosition, position);
    }
}

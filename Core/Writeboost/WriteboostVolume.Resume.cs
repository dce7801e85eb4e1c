using System;
using System.Collections.Generic;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;

namespace Weir.Core.Writeboost;

/// <content>The order to try again at once what devices have refused, and what comes of it.</content>
public sealed unsafe partial class WriteboostVolume
{
    /// <summary>A try may have begun before the order: only the next one tells.</summary>
    private const int TriesThatTell = 2;

    private int _resume;
    private long _triesEnded;

    /// <summary>
    /// Tries again at once what a device has refused, and what has made the volume read-only; flushes count again that
    /// failed because of writes round the log that may be lost.
    /// </summary>
    public void Resume()
    {
        Health.AskRetry();
        Around.Resume();
        Volatile.Write(ref _resume, 1);
        Queues.WakeAll();
    }

    /// <summary>As <see cref="Resume"/>; done when nothing is refused any more.</summary>
    /// <exception cref="UserErrorException">It cannot be tried again in this life.</exception>
    public Func<OrderProgress> BeginResume()
    {
        HealthReport before = Health.Now;
        string? alone = ResumeAlone();
        if (before.State == VolumeState.Healthy || (alone != null && Health.CacheHasFailed))
        {
            Resume();
            string said = alone == null ? "done, no device refuses anything" : $"done, flushes count again: {alone}";
            return () => OrderProgress.DoneWith(said);
        }
        if (Health.CacheHasFailed)
            throw new UserErrorException($"resume: the volume stays {VolumeHealth.NameOf(before.State)} until its next "
                + $"start: {before.Reason}");
        long triesEnded = Volatile.Read(ref _triesEnded), seen = triesEnded;
        int refused = 0;
        long[] refusals = Health.Refusals();
        string lost = Around.HasFailed ? $"; up to {Around.Unflushed} may be lost" : "";
        if (alone != null) lost += "; " + alone;
        Resume();
        return () =>
        {
            OrderProgress open = OrderProgress.UnderWay($"tried again{lost}");
            long ended = Volatile.Read(ref _triesEnded);
            bool isTried = before.State != VolumeState.ReadOnly || ended != triesEnded;
            FlushAround();
            HealthReport now = Health.Now;
            if (isTried && now.State == VolumeState.Healthy)
                return OrderProgress.DoneWith($"done, tried again: the volume is healthy{lost}");
            if (isTried && !Health.TakesWrites)
                return open.Fail($"still {VolumeHealth.NameOf(now.State)}: {now.Reason}");
            if (!Health.HasRefusedSince(refusals))
            {
                // It went well, and there is more.
                if (ended != seen && Refusals.IsAny) Resume();
                seen = ended;
                return open;
            }
            if (++refused == TriesThatTell) return open.Fail($"still refused: {now.Reason}");
            refusals = Health.Refusals();
            Resume();
            return open;
        };
    }

    // Of devices that are served without the cache: why their flushes fail; null: they do not.
    private string? FlushLossAlone
    {
        get
        {
            List<string> losses = [];
            foreach (IVolume? volume in ServedAlone)
                if (volume?.FlushLoss is { } loss) losses.Add(loss);
            return losses.Count == 0 ? null : string.Join("; ", losses);
        }
    }

    private IEnumerable<IVolume?> ServedAlone
    {
        get
        {
            foreach ((IVolume volume, _) in Options.Uncached) yield return volume;
            foreach (IVolume? volume in Volatile.Read(ref _fallback) ?? []) yield return volume;
        }
    }

    private string? ResumeAlone()
    {
        string? loss = FlushLossAlone;
        foreach (IVolume? volume in ServedAlone) volume?.Resume();
        return loss;
    }

    // A flush that succeeds says that the devices are well again.
    private void FlushAround()
    {
        long around = Around.Written;
        if (Around.HasFailed || Around.Flushed >= around) return;
        AtomicMax.Raise(ref _flushAround, around);
        Queues.WakeFirst();
    }

    internal bool TakeResume() => Volatile.Read(ref _resume) != 0 && Interlocked.Exchange(ref _resume, 0) != 0;

    // Write-back has tried, as it was told to, and rests again.
    internal void NoteTried() => Interlocked.Increment(ref _triesEnded);
}

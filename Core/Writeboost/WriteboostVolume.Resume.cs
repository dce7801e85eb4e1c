using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Core.Writeboost;

/// <content>The order to try again at once what devices have refused, and what comes of it.</content>
public sealed unsafe partial class WriteboostVolume
{
    /// <summary>A try may have begun before the order: only the next one tells.</summary>
    private const int TriesThatTell = 2;

    private int _resume;
    private long _triesEnded;

    /// <summary>Tries again at once what a device has refused, and what has made the volume read-only.</summary>
    public void Resume()
    {
        Health.AskRetry();
        Volatile.Write(ref _resume, 1);
        WakeQueues();
    }

    /// <summary>As <see cref="Resume"/>; done when nothing is refused any more.</summary>
    /// <exception cref="UserErrorException">It cannot be tried again in this life.</exception>
    public Func<OrderProgress> BeginResume()
    {
        HealthReport before = Health.Now;
        if (before.State == VolumeState.Healthy)
        {
            Resume();
            return static () => OrderProgress.DoneWith("done, no device refuses anything");
        }
        bool isForGood = Health.CacheHasFailed || (before.State == VolumeState.ReadOnly && Around.HasFailed);
        if (isForGood)
            throw new UserErrorException($"resume: the volume stays {VolumeHealth.NameOf(before.State)} until its next "
                + $"start: {before.Reason}");
        long triesEnded = Volatile.Read(ref _triesEnded);
        int refused = 0;
        long[] refusals = Health.Refusals();
        Resume();
        return () =>
        {
            OrderProgress open = OrderProgress.UnderWay("tried again");
            bool isTried = before.State != VolumeState.ReadOnly || Volatile.Read(ref _triesEnded) != triesEnded;
            HealthReport now = Health.Now;
            if (isTried && now.State == VolumeState.Healthy)
                return OrderProgress.DoneWith("done, tried again: the volume is healthy");
            if (isTried && !Health.TakesWrites)
                return open.Fail($"still {VolumeHealth.NameOf(now.State)}: {now.Reason}");
            if (!Health.HasRefusedSince(refusals)) return open;
            if (++refused == TriesThatTell) return open.Fail($"still refused: {now.Reason}");
            refusals = Health.Refusals();
            Resume();
            return open;
        };
    }

    internal bool TakeResume() => Volatile.Read(ref _resume) != 0 && Interlocked.Exchange(ref _resume, 0) != 0;

    // Write-back has tried, as it was told to, and rests again.
    internal void NoteTried() => Interlocked.Increment(ref _triesEnded);
}

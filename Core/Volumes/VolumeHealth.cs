using System;
using System.Threading;

namespace Weir.Core.Volumes;

/// <summary>The named states of a volume. Their numbers are for metrics, and stay.</summary>
public enum VolumeState
{
    /// <summary>All is well.</summary>
    Healthy = 0,
    /// <summary>
    /// Writes fail: the backing device no longer takes what the log holds. Reads and flushes go on.
    /// </summary>
    ReadOnly = 1,
    /// <summary>
    /// The cache device has failed and alone holds something: writes and flushes fail, reads give what RAM, the backing
    /// device and the rest of the cache device still have.
    /// </summary>
    Failed = 2,
    /// <summary>
    /// The cache device has failed, and the backing device has everything: it is served without a cache.
    /// </summary>
    PassThrough = 3,
    /// <summary>
    /// A device refuses something now and is tried again; everything is served while there is room. Ends by itself.
    /// </summary>
    Retrying = 4,
    /// <summary>
    /// A flush of a backing device has failed that covered writes round the log, and nobody can repeat these: flushes
    /// fail until somebody who has been told says <c>resume</c>. All else is as while <see cref="Retrying"/>.
    /// </summary>
    Degraded = 5,
}

/// <summary>What is tried again while a volume is <see cref="VolumeState.Retrying"/>.</summary>
public enum Trouble
{
    /// <summary>Write-back: the backing device does not take it, or the cache device does not give it.</summary>
    Writeback = 0,
    /// <summary>Records of the log: the cache device does not take them.</summary>
    LogWrite = 1,
    /// <summary>Flushes of the cache device.</summary>
    LogFlush = 2,
    /// <summary>A superblock that somebody has asked for.</summary>
    Superblock = 3,
    /// <summary>The device table, after a device could not be attached or detached.</summary>
    DeviceTable = 4,
    /// <summary>The superblock with the number of segments that a grown cache has.</summary>
    Growth = 5,
    /// <summary>Writes round the log: the backing device does not take them, and they are logged instead.</summary>
    AroundWrite = 6,
    /// <summary>What went round the log may be lost: not tried again before somebody says so.</summary>
    AroundFlush = 7,
}

/// <summary>One state of a volume, all of it: what readers get belongs together.</summary>
/// <param name="State">The state.</param>
/// <param name="Reason">Why, in a sentence; empty while healthy.</param>
/// <param name="Since">When it began.</param>
public sealed record HealthReport(VolumeState State, string Reason, DateTimeOffset Since)
{
    /// <summary>What is tried again, by <see cref="Trouble"/>, and why; null: nothing.</summary>
    internal string?[] Troubles { get; init; } = new string?[Enum.GetValues<Trouble>().Length];
}

/// <summary>
/// The state of a volume. What is tried again comes and goes; apart from that a volume only ever goes to a worse state
/// until its next start. Any thread. State, reason and time are one object that is replaced as a whole.
/// </summary>
public sealed class VolumeHealth
{
    /// <summary>What a reason says of the future.</summary>
    public const string TriedAgain = ", and is tried again";

    private const long PatienceSeconds = 60;

    private readonly Action<string> _log;
    private readonly TimeProvider _time;
    private readonly long[] _refusals = new long[Enum.GetValues<Trouble>().Length];
    private HealthReport _now;
    private long _retriesAsked;

    /// <summary>Healthy, since now. Changes are told to <paramref name="log"/>, one line each.</summary>
    public VolumeHealth(Action<string> log, TimeProvider? time = null)
    {
        _log = log;
        _time = time ?? TimeProvider.System;
        _now = new HealthReport(VolumeState.Healthy, "", _time.GetUtcNow());
    }

    /// <summary>All of it, at one moment.</summary>
    public HealthReport Now => Volatile.Read(ref _now);

    /// <summary>The state now.</summary>
    public VolumeState State => Now.State;

    /// <summary>Why, in a sentence; empty while healthy.</summary>
    public string Reason => Now.Reason;

    /// <summary>The cache device is used no more.</summary>
    public bool CacheHasFailed => State is VolumeState.Failed or VolumeState.PassThrough;

    /// <summary>Changes are taken, as long as there is room for them.</summary>
    public bool TakesWrites => RankOf(State) <= RankOf(VolumeState.Retrying);

    /// <summary>Whoever waits for write-back should not wait on: a minute's errors may last.</summary>
    public bool MayLast
    {
        get
        {
            HealthReport now = Now;
            if (now.State is VolumeState.Retrying or VolumeState.Degraded) return SecondsIn(now) >= PatienceSeconds;
            return now.State != VolumeState.Healthy;
        }
    }

    /// <summary>Seconds in this state.</summary>
    public long SecondsIn(HealthReport report) => Math.Max(0, (long)(_time.GetUtcNow() - report.Since).TotalSeconds);

    /// <summary>Enters <paramref name="state"/> unless it is there or further, and says so once.</summary>
    public void Worsen(VolumeState state, string reason)
    {
        HealthReport old, next;
        do
        {
            old = Now;
            if (RankOf(old.State) >= RankOf(state)) return;
            next = new HealthReport(state, reason, _time.GetUtcNow()) { Troubles = old.Troubles };
        }
        while (!TryPublish(old, next));
        _log($"volume is {NameOf(state)}: {reason}");
    }

    /// <summary>Something is refused and will be tried again; says so once for each new reason.</summary>
    public void Hold(Trouble trouble, string reason)
    {
        Set(trouble, reason);
        Interlocked.Increment(ref _refusals[(int)trouble]);
    }

    /// <summary>How often somebody has asked that all be tried at once: for whoever waits to try again.</summary>
    public long RetriesAsked => Volatile.Read(ref _retriesAsked);

    /// <summary>All that is refused shall be tried at once; the owner wakes those who wait.</summary>
    public void AskRetry() => Interlocked.Increment(ref _retriesAsked);

    /// <summary>How often each was refused, for <see cref="HasRefusedSince"/>.</summary>
    public long[] Refusals()
    {
        long[] counts = new long[_refusals.Length];
        for (int i = 0; i < counts.Length; i++) counts[i] = Volatile.Read(ref _refusals[i]);
        return counts;
    }

    /// <summary>Something that is still refused was refused since <paramref name="before"/>.</summary>
    public bool HasRefusedSince(long[] before)
    {
        string?[] troubles = Now.Troubles;
        for (int i = 0; i < before.Length; i++)
            if (troubles[i] != null && Volatile.Read(ref _refusals[i]) != before[i]) return true;
        return false;
    }

    /// <summary>It has gone well again.</summary>
    public void Pass(Trouble trouble)
    {
        if (Now.Troubles[(int)trouble] != null) Set(trouble, null);
    }

    /// <summary>
    /// Leaves <see cref="VolumeState.ReadOnly"/> if <paramref name="report"/> is still how things are: somebody has
    /// found that its reason may be gone, and looks again.
    /// </summary>
    public void Reconsider(HealthReport report)
    {
        if (report.State != VolumeState.ReadOnly) return;
        HealthReport next = Without(report);
        if (TryPublish(report, next)) _log($"volume is {NameOf(next.State)}: tried again, as asked for");
    }

    /// <summary>The state's name in status, logs and documents.</summary>
    public static string NameOf(VolumeState state) => state switch
    {
        VolumeState.Healthy => "healthy",
        VolumeState.Retrying => "retrying",
        VolumeState.Degraded => "degraded",
        VolumeState.ReadOnly => "read-only",
        VolumeState.Failed => "failed",
        _ => "pass-through",
    };

    private static int RankOf(VolumeState state) => state switch
    {
        VolumeState.Healthy => 0,
        VolumeState.Retrying or VolumeState.Degraded => 1,
        _ => 1 + (int)state,
    };

    private bool TryPublish(HealthReport old, HealthReport next) =>
        ReferenceEquals(Interlocked.CompareExchange(ref _now, next, old), old);

    private void Set(Trouble trouble, string? reason)
    {
        HealthReport old, next;
        do
        {
            old = Now;
            if (old.Troubles[(int)trouble] == reason) return;
            string?[] troubles = (string?[])old.Troubles.Clone();
            troubles[(int)trouble] = reason;
            next = old with { Troubles = troubles };
            if (RankOf(old.State) <= RankOf(VolumeState.Retrying)) next = Without(next);
        }
        while (!TryPublish(old, next));
        if (next.State == VolumeState.Healthy)
            _log($"volume is healthy again, after {SecondsIn(old)} s: {AsPast(old.Reason)}");
        else if (next.State is VolumeState.Retrying or VolumeState.Degraded && reason != null)
            _log($"volume is {NameOf(next.State)}: {reason}");
    }

    // What was tried again has gone well.
    private static string AsPast(string reason) => reason.Replace(TriedAgain, "", StringComparison.Ordinal);

    // What remains when there is nothing but what is tried again. One state, from its first trouble to its last.
    private HealthReport Without(HealthReport report)
    {
        string reason = "";
        for (int i = 0; i < report.Troubles.Length; i++)
        {
            string? each = report.Troubles[i];
            // Two may be held up by one and the same.
            bool isNew = each != null && Array.IndexOf(report.Troubles, each) == i;
            if (isNew) reason += reason == "" ? each : "; " + each;
        }
        bool loses = report.Troubles[(int)Trouble.AroundFlush] != null;
        VolumeState state =
            loses ? VolumeState.Degraded : reason == "" ? VolumeState.Healthy : VolumeState.Retrying;
        DateTimeOffset since = state == report.State ? report.Since : _time.GetUtcNow();
        return report with { State = state, Reason = reason, Since = since };
    }
}

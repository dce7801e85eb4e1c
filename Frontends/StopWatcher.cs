using System;
using System.Threading;

namespace Weir.Frontends;

/// <summary>
/// Says what a stop waits for when a device hangs: nothing that is under way there can be taken back, and without a
/// word nobody would know.
/// </summary>
/// <param name="hang">Which device hangs, in words; null: none does.</param>
internal sealed class StopWatcher(Func<string?> hang) : IDisposable
{
    private const int FirstMs = 1000, AgainMs = 10_000;

    private Timer? _timer;
    private long _startedMs;
    private long _saidMs;

    /// <summary>
    /// What to say when whoever waits will wait no longer; null: it is no device that hangs, and the stop goes on.
    /// </summary>
    public string? Verdict => _timer != null && hang() is { } what
        ? $"ended without an orderly stop: {what}; what was acknowledged stays in the cache and is finished by the "
            + "next start"
        : null;

    /// <summary>The stop has begun.</summary>
    public void Start()
    {
        _startedMs = Environment.TickCount64;
        _timer = new Timer(_ => Look(), null, FirstMs, FirstMs);
    }

    /// <inheritdoc/>
    public void Dispose() => _timer?.Dispose();

    private void Look()
    {
        if (hang() is not { } what) return;
        long nowMs = Environment.TickCount64;
        if (_saidMs != 0 && nowMs - _saidMs < AgainMs) return;
        _saidMs = nowMs;
        Program.Log($"stopping for {(nowMs - _startedMs) / 1000} s: {what}; 'weir stop --force' or another signal ends "
            + "without waiting for it");
    }
}

using System;
using Weir.Native;

namespace Weir.Frontends;

/// <summary>
/// Every client is an open file, and of those a process may have so many. Who is in the way of the limit is told: at
/// the start when it is foreseen, later when a client cannot be accepted, at most once a minute. One thread each.
/// </summary>
/// <param name="log">Takes a line.</param>
internal sealed class FileLimit(Action<string> log)
{
    // For what comes later: clients of the control socket, one more backing device, a newcomer that is turned away.
    private const int Spare = 16;

    private const long AgainMs = 60_000;

    private long _saidMs = -AgainMs;

    /// <summary>As much as it may be without rights.</summary>
    public static void Raise() => OpenFiles.Raise();

    /// <summary>Says when <paramref name="connections"/> clients will not find room beside what is open now.</summary>
    public void CheckRoomFor(int connections)
    {
        long limit = OpenFiles.Limit, others = OpenFiles.Count + Spare;
        if (others + connections <= limit) return;
        log($"--max-connections {connections}, but this process may have {limit} files open and needs {others} for "
            + $"itself: about {Math.Max(0, limit - others)} clients find room; expected a limit (ulimit -n) of at "
            + $"least {others + connections}, or fewer --max-connections");
    }

    /// <summary>Accepting a client has failed with <paramref name="result"/> and is tried again.</summary>
    public void NoteRefused(int result)
    {
        long nowMs = Environment.TickCount64;
        // Who has gone meanwhile is nobody's trouble.
        if (result is -Errno.ECONNABORTED or -Errno.EINTR || nowMs - _saidMs < AgainMs) return;
        _saidMs = nowMs;
        string why = result == -Errno.EMFILE
            ? $": this process has as many files open as it may, {OpenFiles.Limit} (ulimit -n)"
            : "";
        log($"new clients wait: accepting one failed: {Errno.Text(result)}{why}; tried again until it succeeds");
    }
}

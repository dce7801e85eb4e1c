using Weir.Core.Base;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Io;

/// <summary>How far an orderly stop has come, and how it has ended.</summary>
public readonly record struct StopStatus
{
    private const int StoppedCode = 1;

    // 0: not over; 1: well; else the negative errno.
    private readonly int _code;

    private StopStatus(int code) => _code = code;

    /// <summary>Not asked for yet, or not over.</summary>
    public static StopStatus Running => default;

    /// <summary>Over, and everything is durable.</summary>
    public static StopStatus Stopped => new(StoppedCode);

    /// <summary>Over, but something could not be made durable: why, as a negative errno.</summary>
    public static StopStatus Failed(int error)
    {
        Invariant.Check(error < 0);
        return new StopStatus(error);
    }

    /// <summary>Over: well for 0, or failed with a negative errno.</summary>
    public static StopStatus EndedWith(int result) => result < 0 ? Failed(result) : Stopped;

    /// <summary>It has ended, in whatever way.</summary>
    public bool IsOver => _code != 0;

    /// <summary>0 unless it has failed: then the negative errno.</summary>
    public int Error => _code < 0 ? _code : 0;

    /// <summary>Of two that both have to end: over when both are, and then as the worse one ended.</summary>
    public static StopStatus Both(StopStatus a, StopStatus b)
    {
        if (!a.IsOver || !b.IsOver) return Running;
        return a._code < b._code ? a : b;
    }

    /// <inheritdoc/>
    public override string ToString() =>
        !IsOver ? "running" : Error < 0 ? "failed: " + Errno.Text(Error) : "stopped";
}

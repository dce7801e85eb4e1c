using System.Threading;

namespace Weir.Core.Volumes;

/// <summary>
/// When clients were last at work. Written by all queues, and only when that says something new: the line is read by
/// all of them.
/// </summary>
internal sealed class ActivityMark
{
    private const long GrainUs = 1000;

    private long _lastUs;

    /// <summary>When the last request came, in microseconds on the context's clock; any thread.</summary>
    public long LastUs => Volatile.Read(ref _lastUs);

    /// <summary>A request has come.</summary>
    public void Note(long nowUs)
    {
        if (nowUs - Volatile.Read(ref _lastUs) >= GrainUs) Volatile.Write(ref _lastUs, nowUs);
    }
}

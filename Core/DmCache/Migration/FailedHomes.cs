using System.Threading;

namespace Weir.Core.DmCache.Migration;

/// <summary>
/// Homes that could not be read as a whole when they were to come in: a disk tries long before it gives up, so they are
/// not wanted again until they have been written, or some time has gone by. A few are known: a later one takes the
/// cell of another.
/// </summary>
/// <remarks>
/// Protocol. The promoter's thread adds; any thread forgets, by compare-exchange. The time of a cell is written before
/// its home, and read by the promoter's thread alone. The count is a hint: whoever misses a home for a moment lets it
/// wait for longer, or be tried once more.
/// </remarks>
internal sealed class FailedHomes
{
    private const int Cells = 64;

    /// <summary>For so long a home is not wanted: a read that fails may take a disk some seconds.</summary>
    public const long PauseUs = 60_000_000;

    // Homes + 1, by their number modulo; 0: none.
    private readonly long[] _homes = new long[Cells];
    private readonly long[] _untilUs = new long[Cells];
    private int _count;

    /// <summary>A read of <paramref name="home"/> has failed. By the promoter.</summary>
    public void Add(long home, long nowUs)
    {
        long cell = home & (Cells - 1);
        _untilUs[cell] = nowUs + PauseUs;
        if (Interlocked.Exchange(ref _homes[cell], home + 1) == 0) Interlocked.Increment(ref _count);
    }

    /// <summary>It is not to be read as a whole now. By the promoter.</summary>
    public bool Has(long home, long nowUs)
    {
        if (Volatile.Read(ref _count) == 0) return false;
        long cell = home & (Cells - 1);
        return Volatile.Read(ref _homes[cell]) == home + 1 && nowUs < _untilUs[cell];
    }

    /// <summary>It is being written: what could not be read may be another now. Any thread.</summary>
    public void Forget(long home)
    {
        if (Volatile.Read(ref _count) == 0) return;
        if (Interlocked.CompareExchange(ref _homes[home & (Cells - 1)], 0, home + 1) == home + 1)
            Interlocked.Decrement(ref _count);
    }
}

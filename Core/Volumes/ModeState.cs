using System.Threading;

namespace Weir.Core.Volumes;

/// <summary>
/// The mode that writes begin in, the one that is true of every block (B12), and whether requests are held.
/// </summary>
/// <remarks>
/// Protocol. Whoever changes a mode or holds requests raises <see cref="Version"/> last. A queue that sees another
/// version begins nothing new until what it has under way has ended, and says so: so no
/// write of the old mode is under way when all queues have said it.
/// </remarks>
internal sealed class ModeState(CacheMode mode)
{
    private int _current = (int)mode;
    private int _named = (int)mode;
    private int _version;
    private int _isHeld;

    /// <summary>What writes begin in.</summary>
    public CacheMode Current => (CacheMode)Volatile.Read(ref _current);

    /// <summary>What status says: all that it promises is true.</summary>
    public CacheMode Named => (CacheMode)Volatile.Read(ref _named);

    /// <summary>Another one after each change.</summary>
    public int Version => Volatile.Read(ref _version);

    /// <summary>Requests wait (suspend).</summary>
    public bool IsHeld => Volatile.Read(ref _isHeld) != 0;

    /// <summary>Writes that begin from now on are of this mode.</summary>
    public void Begin(CacheMode next)
    {
        Volatile.Write(ref _current, (int)next);
        Interlocked.Increment(ref _version);
    }

    /// <summary>It is true of every block.</summary>
    public void Name(CacheMode next) => Volatile.Write(ref _named, (int)next);

    /// <summary>Requests wait from now on, or no more.</summary>
    public void Hold(bool isHeld)
    {
        Volatile.Write(ref _isHeld, isHeld ? 1 : 0);
        Interlocked.Increment(ref _version);
    }
}

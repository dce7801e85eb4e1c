using System.Threading;

namespace Weir.Core.Base;

/// <summary>A number that several threads only ever raise.</summary>
internal static class AtomicMax
{
    /// <summary>
    /// Raises <paramref name="target"/> to <paramref name="value"/> unless it is there or higher. True: the caller has
    /// raised it. A full fence where it has.
    /// </summary>
    public static bool Raise(ref long target, long value)
    {
        long old = Volatile.Read(ref target);
        while (old < value)
        {
            long seen = Interlocked.CompareExchange(ref target, value, old);
            if (seen == old) return true;
            old = seen;
        }
        return false;
    }

    /// <inheritdoc cref="Raise(ref long, long)"/>
    public static bool Raise(ref int target, int value)
    {
        int old = Volatile.Read(ref target);
        while (old < value)
        {
            int seen = Interlocked.CompareExchange(ref target, value, old);
            if (seen == old) return true;
            old = seen;
        }
        return false;
    }
}

using System;
using Weir.Core.Base;
using Weir.Core.Metadata.Persistent;

namespace Weir.Core.DmCache.Tools;

/// <summary>
/// What an array holds, in memory: only of the blocks that there are, so that a wrong number of entries costs nothing.
/// </summary>
internal sealed unsafe class ArrayContent<T>(long count) : IArraySink
    where T : unmanaged, IEquatable<T>
{
    private readonly T[]?[] _pieces = new T[PersistentArray.BlocksOf(count, sizeof(T))][];

    /// <summary>Entries.</summary>
    public long Count => count;

    /// <summary>Entries that could not be read.</summary>
    public long LostCount { get; private set; }

    /// <summary>An entry; 0 where it is lost.</summary>
    public T this[long index]
    {
        get
        {
            Invariant.Check((ulong)index < (ulong)count);
            return _pieces[index / Per] is { } piece ? piece[index % Per] : default;
        }
    }

    /// <summary>It could not be read.</summary>
    public bool IsLost(long index) => _pieces[index / Per] == null;

    /// <inheritdoc/>
    public void Entries(long first, byte* entries, int count) =>
        _pieces[first / Per] = new ReadOnlySpan<T>(entries, count).ToArray();

    /// <inheritdoc/>
    public void Lost(long first, long end) => LostCount += end - first;

    private static int Per => PersistentArray.EntriesOf(sizeof(T));
}

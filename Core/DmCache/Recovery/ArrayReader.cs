using System;
using Weir.Core.DmCache.Format;

namespace Weir.Core.DmCache.Recovery;

/// <summary>
/// Values of an array of the metadata, which nobody changes meanwhile: those of a block are read at once, and kept
/// until others are asked for. A start reads all of them, so nothing is allocated for a block.
/// </summary>
internal sealed unsafe class ArrayReader<T>
    where T : unmanaged
{
    private readonly MetadataReader _reader;
    private readonly TryRead _tryRead;
    private readonly Func<bool> _attempt;
    private readonly T[] _values = new T[CacheMetadata.BlockBytes / sizeof(T)];
    private long _first;
    private int _count;

    /// <summary>Of the array that <paramref name="tryRead"/> reads.</summary>
    public ArrayReader(MetadataReader reader, TryRead tryRead) =>
        (_reader, _tryRead, _attempt) = (reader, tryRead, Attempt);

    /// <summary>
    /// The values from <paramref name="first"/> to the end of their block; false: a block of metadata is missing.
    /// </summary>
    public delegate bool TryRead(long first, out ReadOnlySpan<T> values);

    /// <summary>
    /// The values from <paramref name="first"/> to the end of their block, empty where there are none; good until the
    /// next call.
    /// </summary>
    public ReadOnlySpan<T> From(long first)
    {
        if (first < _first || first >= _first + _count)
        {
            _first = first;
            _reader.Run(_attempt);
        }
        return _values.AsSpan((int)(first - _first), _count - (int)(first - _first));
    }

    private bool Attempt()
    {
        _count = 0;
        if (!_tryRead(_first, out ReadOnlySpan<T> values)) return false;
        values.CopyTo(_values);
        _count = values.Length;
        return true;
    }
}

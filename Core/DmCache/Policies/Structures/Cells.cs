using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Weir.Core.Base;
using Slab = Weir.Native.Slab;

namespace Weir.Core.DmCache.Policies.Structures;

/// <summary>
/// So many values, zeroed, outside the managed heap: in huge pages where there are enough of them. A reader of an index
/// has checked it: policies check each place once, where it comes in.
/// </summary>
#pragma warning disable CA1001 // it is disposable: the rule does not see it in a generic struct
internal unsafe struct Cells<T> : IDisposable
    where T : unmanaged
{
    private Slab? _slab;
    private T* _start;

    /// <summary>Takes memory for <paramref name="count"/> values.</summary>
    public Cells(long count)
    {
        Invariant.Check(count >= 0);
        Count = count;
        if (SizeBytes >= Slab.HugePageBytes) _slab = new Slab(SizeBytes);
        _start = (T*)(_slab != null ? _slab.Start : NativeMemory.AllocZeroed((nuint)Math.Max(SizeBytes, 1)));
    }

    /// <summary>Values.</summary>
    public long Count { get; }

    /// <summary>Bytes of them.</summary>
    public readonly long SizeBytes => Count * sizeof(T);

    /// <summary>None was taken, or it was given back.</summary>
    public readonly bool IsEmpty => _start == null;

    /// <summary>The first one.</summary>
    public readonly T* Start => _start;

    /// <summary>One of them.</summary>
    public readonly ref T this[uint index]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => ref _start[index];
    }

    /// <summary>One of them.</summary>
    public readonly ref T this[int index]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => ref _start[index];
    }

    /// <summary>Fills the bytes of all with ones.</summary>
    public readonly void FillWithOnes()
    {
        if (Count > 0) NativeMemory.Fill(_start, (nuint)SizeBytes, 0xFF);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_slab != null) _slab.Dispose();
        else NativeMemory.Free(_start);
        _slab = null;
        _start = null;
    }
}

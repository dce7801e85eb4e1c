using System;
using System.Runtime.InteropServices;
using System.Threading;
using Weir.Core.Base;

namespace Weir.Core.Writeboost.Index;

/// <summary>
/// Which regions of the backing devices the index has something of, so that a question about a terabyte need not ask
/// for each block. A bit for each region, by a hash of its number: a bit that is not set is certain, one that is set is
/// not. Made when it is first wanted, by a walk over all slots, some at a time; from its beginning on whoever links a
/// version marks it.
/// </summary>
/// <remarks>
/// Protocol: a walker, under the latch, says that marks are kept, clears them, has every processor pass a fence, and
/// looks at each slot. A writer links, and looks then whether marks are kept: either he marks, or the walk finds him. A
/// reader looks at the number of the walk before and after the bit: it has changed when a walker may have cleared it.
/// </remarks>
public sealed unsafe class RegionMarks : IDisposable
{
    /// <summary>log2 of a region's blocks: 2 MiB.</summary>
    public const int RegionShift = 9;

    private const int BitShift = 20;
    private const int Words = (1 << BitShift) / 64;
    private const long RefreshUs = 30_000_000;

    private readonly ulong* _bits = (ulong*)NativeMemory.AllocZeroed(Words, sizeof(ulong));
    // A mutant is one of the thread that makes them.
    private readonly bool _isNoted = !Mutant.Is(WriteboostMutant.R9RegionUnmarked);
    private SpinLatch _latch;
    private bool _isKept;
    private bool _isComplete;
    private int _walk;
    private long _walked;
    private long _completedUs;

    /// <summary>Bytes of its structures.</summary>
    public const long BytesUsed = Words * sizeof(ulong);

    /// <summary>A version of block <paramref name="key"/> has been linked; any thread.</summary>
    public void Note(ulong key)
    {
        if (!Volatile.Read(ref _isKept) || !_isNoted) return;
        Mark(key);
    }

    /// <summary>Nothing of the region around block <paramref name="key"/> is in the index.</summary>
    public bool IsEmpty(ulong key)
    {
        (int word, ulong bit) = BitOf(key);
        int walk = Volatile.Read(ref _walk);
        if (!Volatile.Read(ref _isComplete)) return false;
        Interleaving.Step();
        return (Volatile.Read(ref _bits[word]) & bit) == 0 && Volatile.Read(ref _walk) == walk;
    }

    /// <summary>Goes on with a walk that is not complete, or begins one when the last is old.</summary>
    /// <param name="index">What is walked over.</param>
    /// <param name="most">Slots looked at now.</param>
    /// <param name="nowUs">The time, on the context's clock.</param>
    public void Advance(BlockIndex index, long most, long nowUs)
    {
        if (!_latch.TryEnter()) return;
        if (!_isKept || (_isComplete && nowUs > _completedUs + RefreshUs)) Begin();
        if (!_isComplete) Walk(index, most, nowUs);
        _latch.Exit();
    }

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.Free(_bits);

    private void Begin()
    {
        Volatile.Write(ref _isComplete, false);
        Volatile.Write(ref _walk, _walk + 1);
        Volatile.Write(ref _isKept, true);
        for (int i = 0; i < Words; i++) Volatile.Write(ref _bits[i], 0);
        _walked = 0;
        Interlocked.MemoryBarrierProcessWide();
    }

    private void Walk(BlockIndex index, long most, long nowUs)
    {
        long end = Math.Min(_walked + most, index.SlotCount);
        for (; _walked < end; _walked++)
            if (index.IsLinked((uint)_walked)) Mark(index.KeyOf((uint)_walked));
        _completedUs = nowUs;
        Volatile.Write(ref _isComplete, _walked == index.SlotCount);
    }

    private void Mark(ulong key)
    {
        (int word, ulong bit) = BitOf(key);
        if ((Volatile.Read(ref _bits[word]) & bit) == 0) Interlocked.Or(ref _bits[word], bit);
    }

    private static (int Word, ulong Bit) BitOf(ulong key)
    {
        ulong hash = ((key >> RegionShift) * 0x9E3779B97F4A7C15) >> (64 - BitShift);
        return ((int)(hash >> 6), 1UL << (int)(hash & 63));
    }
}

using System;
using System.Numerics;
using Weir.Core.Base;
using Weir.Native;

namespace Weir.Frontends;

/// <summary>
/// The data memory of requests: whole 4 KiB pages of one slab. Its size bounds what can be in flight. First fit from
/// the front, so that few pages stay in use and in the caches. Owned by the queue's thread.
/// </summary>
internal sealed unsafe class Arena : IDisposable
{
    /// <summary>Unit of allocation, and the alignment engines ask for.</summary>
    public const int PageBytes = 4096;

    private readonly Slab _slab;
    private readonly ulong[] _used;
    private readonly int _pages;

    /// <summary>Maps the memory.</summary>
    public Arena(int sizeBytes)
    {
        _slab = new Slab(sizeBytes);
        _pages = sizeBytes / PageBytes;
        _used = new ulong[(_pages + 63) / 64];
        Reset();
    }

    /// <summary>The memory, for registration with a ring.</summary>
    public Slab Slab => _slab;

    /// <summary>Pages in use.</summary>
    public int UsedPages { get; private set; }

    /// <summary>Pages from the first on of which some may have been used since <see cref="GiveBack"/>.</summary>
    public int TouchedPages { get; private set; }

    /// <summary>No page is free.</summary>
    public bool IsFull => UsedPages == _pages;

    /// <summary>Bytes between the start of the page that <paramref name="offset"/> is in, and it.</summary>
    public static int SkewOf(long offset) => (int)(offset & (PageBytes - 1));

    /// <summary>
    /// Pages touched by <paramref name="length"/> bytes whose first is at <paramref name="offset"/>: whole blocks
    /// around what is asked for, since engines read so much.
    /// </summary>
    public static int PagesAround(long offset, long length) =>
        (int)((SkewOf(offset) + length + PageBytes - 1) / PageBytes);

    /// <summary>Address of a page.</summary>
    public byte* At(int page) => _slab.Start + (long)page * PageBytes;

    /// <summary>Takes neighbouring pages. Returns the first, or -1: wait until some are free.</summary>
    public int Allocate(int count)
    {
        Invariant.Check(count > 0);
        int first = Next(0, free: true);
        while (first + count <= _pages)
        {
            int end = Next(first, free: false);
            if (end - first >= count)
            {
                Mark(first, count, used: true);
                TouchedPages = Math.Max(TouchedPages, first + count);
                return first;
            }
            first = Next(end, free: true);
        }
        return -1;
    }

    /// <summary>Gives the system its memory back while no page is in use. Not where a ring has it registered.</summary>
    public void GiveBack()
    {
        Invariant.Check(UsedPages == 0);
        _slab.GiveBack((long)TouchedPages * PageBytes);
        TouchedPages = 0;
    }

    /// <summary>Gives pages back.</summary>
    public void Free(int first, int count) => Mark(first, count, used: false);

    /// <summary>Everything is free again; the caller knows that nobody uses a page any more.</summary>
    public void Reset()
    {
        Array.Clear(_used);
        // Bits behind the last page read as used.
        if (_pages % 64 != 0) _used[^1] = ulong.MaxValue << (_pages % 64);
        UsedPages = 0;
    }

    /// <inheritdoc/>
    public void Dispose() => _slab.Dispose();

    /// <summary>The first page from <paramref name="page"/> on that is free, or used; else behind the last.</summary>
    private int Next(int page, bool free)
    {
        for (int word = page / 64; word < _used.Length; word++)
        {
            ulong bits = free ? ~_used[word] : _used[word];
            if (word == page / 64) bits &= ulong.MaxValue << (page % 64);
            if (bits != 0) return Math.Min(word * 64 + BitOperations.TrailingZeroCount(bits), _pages);
        }
        return _pages;
    }

    private void Mark(int first, int count, bool used)
    {
        Invariant.Check(first >= 0 && first + count <= _pages);
        UsedPages += used ? count : -count;
        while (count > 0)
        {
            int bit = first % 64;
            int span = Math.Min(count, 64 - bit);
            ulong mask = (span == 64 ? ulong.MaxValue : (1UL << span) - 1) << bit;
            ref ulong word = ref _used[first / 64];
            Invariant.Check((word & mask) == (used ? 0 : mask));
            word ^= mask;
            first += span;
            count -= span;
        }
    }
}

using System;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.SsdCache.Sets;

namespace Weir.Core.SsdCache.Commit;

/// <summary>What is known of a page of the directory while it is served.</summary>
[Flags]
internal enum PageState : byte
{
    /// <summary>Closed: the device has all of it, exactly; nothing of it may change.</summary>
    Closed = 0,
    /// <summary>The device says that it is open: clean entries may change at no cost.</summary>
    Open = 1,
    /// <summary>Somebody waits to change it.</summary>
    Wanted = 2,
    /// <summary>Its dirty entries are not what the device has.</summary>
    Changed = 4,
    /// <summary>It is about to be closed: nothing begins to change it.</summary>
    Closing = 8,
}

/// <summary>
/// The states of all pages of the directory, and who waits for them.
/// </summary>
/// <remarks>
/// Protocol. <see cref="PageState.Open"/> and <see cref="PageState.Closing"/> are changed by the committer's thread
/// alone; <see cref="PageState.Wanted"/> and <see cref="PageState.Changed"/> are set by any thread, after what they
/// speak of, and cleared by the committer before it takes the page's snapshot: what comes later sets them anew. All by
/// atomic operations on the page's word. A bit of <c>_marks</c> says that a page is wanted or has changed: set after
/// the state, cleared before it. One of <c>_dirty</c> says that something in it may be dirty: set after that, cleared
/// by write-back before it looks. Whoever changes an entry pins its way first, with a full fence, and then looks
/// whether the page is open; who closes a page says <c>Closing</c>, with a full fence, and then looks for pins: one of
/// them sees the other. <c>_touched</c> is written by any thread, in seconds, and only compared.
/// </remarks>
internal sealed unsafe class PageStates : IPageGate, IDisposable
{
    private readonly uint* _states;
    private readonly uint* _touched;
    // Twice the number, and the slot.
    private readonly long* _newest;
    private readonly ulong* _marks;
    private readonly ulong* _dirty;
    private readonly int _markWords;
    private int _open;

    /// <summary>All of <paramref name="pages"/> closed.</summary>
    public PageStates(int pages)
    {
        Count = pages;
        _states = (uint*)NativeMemory.AllocZeroed((nuint)pages, sizeof(uint));
        _touched = (uint*)NativeMemory.AllocZeroed((nuint)pages, sizeof(uint));
        _newest = (long*)NativeMemory.AllocZeroed((nuint)pages, sizeof(long));
        _markWords = (pages + 63) / 64;
        _marks = (ulong*)NativeMemory.AllocZeroed((nuint)_markWords, sizeof(ulong));
        _dirty = (ulong*)NativeMemory.AllocZeroed((nuint)_markWords, sizeof(ulong));
    }

    /// <summary>Pages.</summary>
    public int Count { get; }

    /// <summary>Pages that are open.</summary>
    public int OpenCount => Volatile.Read(ref _open);

    /// <summary>Bytes of memory.</summary>
    public long MemoryBytes =>
        ((long)Count * ((2 * sizeof(uint)) + sizeof(long))) + ((long)_markWords * 2 * sizeof(ulong));

    /// <summary>What is known of <paramref name="page"/>; any thread.</summary>
    public PageState this[int page] => (PageState)Volatile.Read(ref _states[page]);

    /// <summary>Its entries may be changed by whoever has pinned them; any thread.</summary>
    public bool IsOpen(int page) => (this[page] & (PageState.Open | PageState.Closing)) == PageState.Open;

    /// <summary>When it was last wanted or changed, in seconds of the context's clock, as far as is known.</summary>
    public uint TouchedAt(int page) => Volatile.Read(ref _touched[page]);

    /// <summary>Number of its newest copy on the device. The committer's.</summary>
    public long SequenceOf(int page) => _newest[page] >> 1;

    /// <summary>The slot that does not have it: the next copy goes there. The committer's.</summary>
    public int NextSlotOf(int page) => (int)(~_newest[page] & 1);

    /// <summary>As a start has found it.</summary>
    public void Load(int page, long sequence, int slot, bool isOpen)
    {
        _newest[page] = (sequence << 1) | (uint)slot;
        if (isOpen) SetOpen(page, isOpen: true);
    }

    /// <summary>A newer copy is durable.</summary>
    public void NoteCopy(int page) => _newest[page] = ((SequenceOf(page) + 1) << 1) | (uint)NextSlotOf(page);

    /// <summary>The first page from <paramref name="from"/> on that is wanted or has changed; -1: none.</summary>
    public int NextMarked(int from) => Next(_marks, from);

    /// <summary>The first page from <paramref name="from"/> on that may have something dirty; -1: none.</summary>
    public int NextDirty(int from) => Next(_dirty, from);

    /// <summary>Something in it may be dirty.</summary>
    public void NoteDirty(int page) => Set(_dirty, page);

    /// <summary>Whoever looks for dirty entries, before it looks: what comes later is noted anew.</summary>
    public void ClearDirty(int page) => Interlocked.And(ref _dirty[page >> 6], ~(1UL << (page & 63)));

    /// <summary>Somebody wants to change it. True: nobody has said so before.</summary>
    public bool Want(int page)
    {
        bool isNew = Set(page, PageState.Wanted);
        Set(_marks, page);
        return isNew;
    }

    /// <summary>Its dirty entries have changed, which a flush must make durable.</summary>
    public void NoteChange(int page, uint second)
    {
        Volatile.Write(ref _touched[page], second);
        Set(_dirty, page);
        Set(page, PageState.Changed);
        Set(_marks, page);
    }

    /// <summary>It has been used: it is not closed for a while.</summary>
    public void Touch(int page, uint second)
    {
        if (Volatile.Read(ref _touched[page]) != second) Volatile.Write(ref _touched[page], second);
    }

    /// <summary>The committer takes its snapshot now.</summary>
    public PageState BeginSnapshot(int page)
    {
        Interlocked.And(ref _marks[page >> 6], ~(1UL << (page & 63)));
        return Clear(page, PageState.Wanted | PageState.Changed);
    }

    /// <summary>The device says that it is open; or no longer, nothing being under way in it.</summary>
    public void SetOpen(int page, bool isOpen)
    {
        if (!isOpen && (Clear(page, PageState.Open) & PageState.Open) != 0) Interlocked.Decrement(ref _open);
        else if (isOpen && Set(page, PageState.Open)) Interlocked.Increment(ref _open);
    }

    /// <summary>Nothing begins to change it from now on; a full fence.</summary>
    public void BeginClose(int page) => Interlocked.Or(ref _states[page], (uint)PageState.Closing);

    /// <summary>It is closed, or is not to be closed after all.</summary>
    public void EndClose(int page) => Clear(page, PageState.Closing);

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.Free(_states);
        NativeMemory.Free(_touched);
        NativeMemory.Free(_newest);
        NativeMemory.Free(_marks);
        NativeMemory.Free(_dirty);
    }

    // True: it was not set.
    private bool Set(int page, PageState state)
    {
        Invariant.Check((uint)page < (uint)Count);
        if ((this[page] & state) != 0) return false;
        return ((PageState)Interlocked.Or(ref _states[page], (uint)state) & state) == 0;
    }

    private int Next(ulong* bits, int from)
    {
        for (int word = from >> 6; word < _markWords; word++)
        {
            ulong found = Volatile.Read(ref bits[word]);
            if (word == from >> 6) found &= ulong.MaxValue << (from & 63);
            if (found != 0) return (word << 6) + BitOperations.TrailingZeroCount(found);
        }
        return -1;
    }

    private static void Set(ulong* bits, int page)
    {
        ulong bit = 1UL << (page & 63);
        if ((Volatile.Read(ref bits[page >> 6]) & bit) == 0) Interlocked.Or(ref bits[page >> 6], bit);
    }

    private PageState Clear(int page, PageState states) =>
        (PageState)Interlocked.And(ref _states[page], ~(uint)states);
}

using System;
using System.Runtime.InteropServices;
using System.Threading;
using Weir.Core.Base;

namespace Weir.Core.DmCache.Places;

/// <summary>
/// Places whose bytes the cache device has refused to give (B11): a bit each. A clean block of them leaves; a dirty one
/// is lost until the device gives it after all, or it is written as a whole, discarded, or given up: nothing else has
/// it.
/// </summary>
/// <remarks>
/// Protocol. Bits are changed atomically by any thread: by who has been refused, with any lock of the home; away by who
/// has written all of the block, or has it alone. Who adds something, or gives something up, says so: news, for the
/// first queue's thread.
/// </remarks>
internal sealed unsafe class UnreadablePlaces(uint places) : IDisposable
{
    private const int WordBits = 64;

    private ulong* _bits = New(places);
    private ulong* _givenUp = New(places);
    private int _count;
    private int _hasNews;

    /// <summary>Words of 64 places each.</summary>
    public uint WordCount { get; private set; } = (places + WordBits - 1) / WordBits;

    /// <summary>Bytes of memory.</summary>
    public long MemoryBytes => 2L * WordCount * sizeof(ulong);

    /// <summary>How many there are; any thread.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Those of a word; a bit for each.</summary>
    public ulong this[uint word] => Volatile.Read(ref _bits[word]);

    /// <summary>Something was added or given up since <see cref="TakeNews"/>.</summary>
    public bool HasNews => Volatile.Read(ref _hasNews) != 0;

    /// <summary>The device has refused the place.</summary>
    public bool Has(uint place) => Count > 0 && (this[place / WordBits] & BitOf(place)) != 0;

    /// <summary>The user has given up what it holds.</summary>
    public bool IsGivenUp(uint place) =>
        Has(place) && (Volatile.Read(ref _givenUp[place / WordBits]) & BitOf(place)) != 0;

    /// <summary>The device refuses it.</summary>
    public void Add(uint place)
    {
        // What was given up before was something else.
        if (!Has(place)) Interlocked.And(ref _givenUp[place / WordBits], ~BitOf(place));
        if ((Interlocked.Or(ref _bits[place / WordBits], BitOf(place)) & BitOf(place)) != 0) return;
        Interlocked.Increment(ref _count);
        Volatile.Write(ref _hasNews, 1);
    }

    /// <summary>What it holds may go, whatever it is.</summary>
    public void GiveUp(uint place)
    {
        Interlocked.Or(ref _givenUp[place / WordBits], BitOf(place));
        Volatile.Write(ref _hasNews, 1);
    }

    /// <summary>It holds something else, or the device gives it.</summary>
    public void Remove(uint place)
    {
        if (!Has(place)) return;
        Interlocked.And(ref _givenUp[place / WordBits], ~BitOf(place));
        if ((Interlocked.And(ref _bits[place / WordBits], ~BitOf(place)) & BitOf(place)) != 0)
            Interlocked.Decrement(ref _count);
    }

    /// <summary>Whether there was news; there is none now.</summary>
    public bool TakeNews() => HasNews && Interlocked.Exchange(ref _hasNews, 0) != 0;

    /// <summary>More places. Nobody else is at work in it.</summary>
    public void Grow(uint places)
    {
        uint words = (places + WordBits - 1) / WordBits;
        GrownMemory.Grow(ref _bits, WordCount, words);
        GrownMemory.Grow(ref _givenUp, WordCount, words);
        WordCount = words;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.Free(_bits);
        NativeMemory.Free(_givenUp);
    }

    private static ulong BitOf(uint place) => 1UL << (int)(place % WordBits);

    private static ulong* New(uint places) =>
        (ulong*)NativeMemory.AllocZeroed((places + WordBits - 1) / WordBits, sizeof(ulong));
}

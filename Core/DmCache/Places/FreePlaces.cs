using System.Numerics;
using System.Runtime.InteropServices;
using System.Threading;
using Weir.Core.Base;

namespace Weir.Core.DmCache.Places;

/// <summary>
/// The places that hold nothing, neither here nor in the durable metadata (B3): a bit each. Any thread, under a latch
/// of its own; the count may be read without it.
/// </summary>
internal sealed unsafe class FreePlaces(uint places) : System.IDisposable
{
    private const int WordBits = 64;

    private uint _places = places;
    private uint _words = WordsFor(places);
    private ulong* _free = (ulong*)NativeMemory.AllocZeroed(WordsFor(places), sizeof(ulong));
    private SpinLatch _latch;
    private uint _hand;
    private int _count;

    /// <summary>How many there are.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Bytes of memory.</summary>
    public long MemoryBytes => _words * (long)sizeof(ulong);

    /// <summary>Takes one, the lowest from where the last was on. False: there is none.</summary>
    public bool TryTake(out uint place)
    {
        place = uint.MaxValue;
        if (Count == 0) return false;
        _latch.Enter();
        bool isFound = _count > 0;
        if (isFound) place = TakeNext();
        _latch.Exit();
        return isFound;
    }

    /// <summary>It holds nothing any more, and the durable metadata say so.</summary>
    public void Return(uint place)
    {
        Invariant.Check(place < _places);
        _latch.Enter();
        ulong bit = 1UL << (int)(place % WordBits);
        Invariant.Check((_free[place / WordBits] & bit) == 0);
        _free[place / WordBits] |= bit;
        Volatile.Write(ref _count, _count + 1);
        _latch.Exit();
    }

    /// <summary>More places, of which those that are new are free. Nobody else is at work in it.</summary>
    public void Grow(uint places)
    {
        uint before = _places;
        GrownMemory.Grow(ref _free, _words, WordsFor(places));
        (_places, _words) = (places, WordsFor(places));
        for (uint place = before; place < places; place++) Return(place);
    }

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.Free(_free);

    private static uint WordsFor(uint places) => (uint)((places + (long)WordBits - 1) / WordBits);

    private uint TakeNext()
    {
        while (_free[_hand] == 0) _hand = _hand + 1 == _words ? 0 : _hand + 1;
        int bit = BitOperations.TrailingZeroCount(_free[_hand]);
        _free[_hand] &= _free[_hand] - 1;
        Volatile.Write(ref _count, _count - 1);
        return (_hand * WordBits) + (uint)bit;
    }
}

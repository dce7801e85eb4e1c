using System;
using Weir.Core.Base;

namespace Weir.Core.DmCache.Policies.Structures;

/*
 *                     hand
 *                      v
 *   ... | A | - | B | C | - | - | - | - | D | E | F | ...        - a hole
 *         ^                   ^           ^           ^
 *        tail: oldest        read       write        head
 *
 *   A sweep goes from the head to the tail, and moves what it meets up to where the holes begin, so that these come
 *   together and leave at the tail. Between read and write there are only holes. It takes a few positions whenever a
 *   place is appended, so that the ring never becomes full, and nobody waits for a whole sweep.
 *
 *   Positions are numbers that only grow; where one lies is its remainder by the size of the ring.
 */

/// <summary>
/// Places in the order in which they came, in a ring of positions that has room for half as many more, with a mark for
/// each and a hand (<see cref="HandScan"/>). Ten bytes and three bits for each place.
/// </summary>
internal unsafe struct AgeRing : IDisposable
{
    /// <summary>No place, or no position.</summary>
    public const uint None = uint.MaxValue;

    /// <summary>
    /// A sweep begins when there are as many holes as a fourth of the places, and takes so many positions whenever a
    /// place is appended: it ends before the ring is full.
    /// </summary>
    private const int HolesDivisor = 4, HolesMin = 16, SweepSteps = 16;

    /// <summary>Steps that places are sorted into when they are loaded; so 512 keep their order exactly.</summary>
    private const int LoadSteps = 1024, RankBits = 16;

    private const uint LoadRank = 0xFFFF, LoadMark = 1 << 16, LoadHand = 1 << 17;

    private const int WordBits = 64, WordShift = 6;
    private const long NoHand = -1;

    private readonly uint _places, _size;
    private Cells<uint> _slots, _positions;
    private Cells<ulong> _used, _marks;
    private long _base, _tail, _head, _hand, _read, _write;
    private bool _isSweeping;

    /// <summary>An empty one.</summary>
    public AgeRing(uint places)
    {
        _places = places;
        _size = checked(((places + (places / 2)) | 0xFF) + 1 + 0x100);
        _slots = new Cells<uint>(_size);
        _positions = new Cells<uint>(places);
        _positions.FillWithOnes();
        _used = new Cells<ulong>(_size / WordBits);
        _marks = new Cells<ulong>(_size / WordBits);
        // Far from where it would end: places are put at the old end too.
        _base = _tail = _head = (long)_size << RankBits;
        _hand = NoHand;
    }

    /// <summary>Bytes that it takes.</summary>
    public readonly long MemoryBytes => _slots.SizeBytes + _positions.SizeBytes + _used.SizeBytes + _marks.SizeBytes;

    /// <summary>Places in it.</summary>
    public uint Count { get; private set; }

    /// <summary>The place is in it.</summary>
    public readonly bool Has(uint place) => _positions[place] != None;

    /// <summary>It is marked.</summary>
    public readonly bool IsMarked(uint place) => IsSet(_marks, _positions[place]);

    /// <summary>Marks it.</summary>
    public readonly void Mark(uint place) => Set(_marks, _positions[place]);

    /// <summary>The hand is at it.</summary>
    public readonly bool IsAtHand(uint place) => _hand != NoHand && At(_hand) == _positions[place];

    /// <summary>Before all else: a place that is loaded, how new it is, its mark, whether the hand is at it.</summary>
    public void Load(uint place, uint rank, bool isMarked, bool isAtHand)
    {
        Invariant.Check(!Has(place));
        _positions[place] = Math.Min(rank, LoadRank) | (isMarked ? LoadMark : 0) | (isAtHand ? LoadHand : 0);
        Count++;
    }

    /// <summary>Sorts what was loaded.</summary>
    public void EndLoad()
    {
        uint* ends = stackalloc uint[LoadSteps];
        new Span<uint>(ends, LoadSteps).Clear();
        for (uint place = 0; place < _places; place++)
            if (Has(place)) ends[StepOf(_positions[place])]++;
        uint start = 0;
        for (int step = 0; step < LoadSteps; step++) (ends[step], start) = (start, start + ends[step]);
        for (uint place = 0; place < _places; place++)
            if (Has(place)) PutLoaded(place, ends[StepOf(_positions[place])]++);
        _head = _tail + Count;
    }

    /// <summary>Makes it the newest.</summary>
    public void Append(uint place)
    {
        Sweep();
        if (_head - _tail == _size) CompactAll();
        Put(place, At(_head++));
        Count++;
    }

    /// <summary>Makes it the oldest.</summary>
    public void Prepend(uint place)
    {
        if (_isSweeping && _read < _tail) SweepOne();
        if (_head - _tail == _size) CompactAll();
        if (--_tail < _base) _base -= _size;
        Put(place, At(_tail));
        Count++;
    }

    /// <summary>Takes it out. A hand at it goes to the next newer one; if there is none, to the oldest.</summary>
    public void Remove(uint place)
    {
        uint at = _positions[place];
        Invariant.Check(at != None);
        bool isAtHand = IsAtHand(place) && !Mutant.Is(PolicyMutant.CursorLeftBehind);
        Clear(_used, at);
        Clear(_marks, at);
        _positions[place] = None;
        Count--;
        if (isAtHand) _hand = NextUsed(_hand + 1);
        if (at == At(_tail)) _tail++;
        Settle();
    }

    /// <summary>
    /// Moves the hand on to the first place that has no mark, taking marks away; from the newest it goes on to the
    /// oldest. None: it is empty.
    /// </summary>
    public uint Advance()
    {
        if (Count == 0) return None;
        // Once round, marks are gone.
        for (int round = 0; round < 3; round++)
        {
            if (_hand == NoHand || Mutant.Is(PolicyMutant.SieveHandStays)) _hand = _tail;
            _hand = NextOpen(_hand);
            if (_hand != NoHand) return _slots[At(_hand)];
        }
        return None;
    }

    /// <summary>The place at the hand stays: the hand goes past it.</summary>
    public void Pass() => _hand = NextUsed(_hand + 1);

    /// <summary>How new a place is, of 65,536: all lie close for that.</summary>
    public uint RankOf(uint place)
    {
        if (_head - _tail != Count) CompactAll();
        return (uint)(((ulong)(LogicalOf(_positions[place]) - _tail) << RankBits) + Count - 1) / Count;
    }

    /// <summary>Throws when positions and slots differ, or anything lies where only holes may.</summary>
    public readonly void CheckInvariants()
    {
        uint count = 0;
        Invariant.Check(_head - _tail <= _size);
        Invariant.Check(_tail >= _base);
        Invariant.Check(_tail - _base < _size);
        for (long position = _tail; position < _head; position++)
        {
            if (!IsSet(_used, At(position)))
            {
                Invariant.Check(!IsSet(_marks, At(position)));
                continue;
            }
            count++;
            Invariant.Check(_positions[_slots[At(position)]] == At(position));
            Invariant.Check(!_isSweeping || position <= _read || position > _write);
        }
        Invariant.Check(count == Count);
        long used = 0;
        for (uint word = 0; word < _used.Count; word++) used += System.Numerics.BitOperations.PopCount(_used[word]);
        Invariant.Check(used == Count);
        Invariant.Check(_hand == NoHand || (_hand >= _tail && _hand < _head && IsSet(_used, At(_hand))));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _slots.Dispose();
        _positions.Dispose();
        _used.Dispose();
        _marks.Dispose();
    }

    private static uint StepOf(uint loaded) => (loaded & LoadRank) * LoadSteps >> RankBits;

    private void PutLoaded(uint place, uint at)
    {
        uint loaded = _positions[place];
        Put(place, at);
        if ((loaded & LoadMark) != 0) Set(_marks, at);
        if ((loaded & LoadHand) != 0) _hand = _base + at;
    }

    private readonly uint At(long position)
    {
        long at = position - _base;
        return (uint)(at < _size ? at : at - _size);
    }

    private readonly long LogicalOf(uint at)
    {
        long position = _base + at;
        return position < _tail ? position + _size : position;
    }

    private readonly void Put(uint place, uint at)
    {
        _slots[at] = place;
        _positions[place] = at;
        Set(_used, at);
    }

    // The tail goes past holes when one comes to lie there.
    private void Settle()
    {
        if (_tail < _head && !IsSet(_used, At(_tail)))
        {
            long next = NextUsed(_tail);
            _tail = next == NoHand ? _head : next;
        }
        while (_tail - _base >= _size) _base += _size;
    }

    private void Sweep()
    {
        if (!_isSweeping)
        {
            if (_head - _tail - Count < Math.Max(_places / HolesDivisor, HolesMin)) return;
            (_isSweeping, _read, _write) = (true, _head - 1, _head - 1);
        }
        for (int step = 0; step < SweepSteps && _isSweeping; step++) SweepOne();
    }

    private void SweepOne()
    {
        if (_read < _tail)
        {
            _tail = Math.Max(_tail, Math.Min(_write + 1, _head));
            _isSweeping = false;
            Settle();
            return;
        }
        if (IsSet(_used, At(_read)))
        {
            if (_read != _write) MoveOne(At(_read), At(_write));
            if (_hand == _read && !Mutant.Is(PolicyMutant.SieveHandNotMoved)) _hand = _write;
            _write--;
        }
        _read--;
    }

    private readonly void MoveOne(uint from, uint to)
    {
        uint place = _slots[from];
        if (IsSet(_marks, from)) Set(_marks, to);
        Clear(_marks, from);
        Clear(_used, from);
        Put(place, to);
    }

    private void CompactAll()
    {
        while (_isSweeping) SweepOne();
        (_isSweeping, _read, _write) = (true, _head - 1, _head - 1);
        while (_isSweeping) SweepOne();
    }

    // The ring's end divides what lies between two positions in two.
    private readonly long NextOpen(long from)
    {
        while (from < _head)
        {
            uint at = At(from), end = (uint)Math.Min(at + (_head - from), _size);
            uint found = HandScan.Next(_used.Start, _marks.Start, at, end);
            if (found < end) return from + (found - at);
            from += end - at;
        }
        return NoHand;
    }

    private readonly long NextUsed(long from)
    {
        for (; from < _head; from += WordBits - (At(from) & (WordBits - 1)))
        {
            ulong found = _used[At(from) >> WordShift] >> (int)(At(from) & (WordBits - 1));
            if (found == 0) continue;
            long position = from + System.Numerics.BitOperations.TrailingZeroCount(found);
            return position < _head ? position : NoHand;
        }
        return NoHand;
    }

    private static bool IsSet(in Cells<ulong> bits, uint at) => (bits[at >> WordShift] >> (int)(at & 63) & 1) != 0;

    private static void Set(in Cells<ulong> bits, uint at) => bits[at >> WordShift] |= 1UL << (int)(at & 63);

    private static void Clear(in Cells<ulong> bits, uint at) => bits[at >> WordShift] &= ~(1UL << (int)(at & 63));
}

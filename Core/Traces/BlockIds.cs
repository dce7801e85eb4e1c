using System.Numerics;

namespace Weir.Core.Traces;

/// <summary>Numbers blocks in the order in which they are met: open addressing, linear probing. One thread.</summary>
internal sealed class BlockIds
{
    private const ulong Spread = 0x9E3779B97F4A7C15;
    private const int FirstSlots = 1 << 12;

    // Of a slot: a block, and 1 + its number; 0: empty.
    private ulong[] _blocks = new ulong[FirstSlots];
    private uint[] _numbers = new uint[FirstSlots];
    private int _shift = 64 - BitOperations.Log2(FirstSlots);

    /// <summary>Different blocks so far.</summary>
    public uint Count { get; private set; }

    /// <summary>Bytes of memory after one more doubling.</summary>
    public long NextMemoryBytes => 2L * _blocks.Length * (sizeof(ulong) + sizeof(uint));

    /// <summary>The next new block makes the table grow.</summary>
    public bool IsFull => Count >= (uint)(_blocks.Length / 2);

    /// <summary>The number of <paramref name="block"/>; it is new when that was <see cref="Count"/> before.</summary>
    public uint NumberOf(ulong block)
    {
        int at = SlotOf(block);
        if (_numbers[at] != 0) return _numbers[at] - 1;
        if (IsFull)
        {
            Grow();
            at = SlotOf(block);
        }
        _blocks[at] = block;
        _numbers[at] = ++Count;
        return Count - 1;
    }

    private int SlotOf(ulong block)
    {
        int at = (int)((block * Spread) >> _shift);
        while (_numbers[at] != 0 && _blocks[at] != block) at = (at + 1) & (_blocks.Length - 1);
        return at;
    }

    private void Grow()
    {
        (ulong[] blocks, uint[] numbers) = (_blocks, _numbers);
        _blocks = new ulong[blocks.Length * 2];
        _numbers = new uint[blocks.Length * 2];
        _shift--;
        for (int i = 0; i < blocks.Length; i++)
        {
            if (numbers[i] == 0) continue;
            int at = SlotOf(blocks[i]);
            (_blocks[at], _numbers[at]) = (blocks[i], numbers[i]);
        }
    }
}

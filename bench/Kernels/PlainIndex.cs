using System;

namespace Weir.Bench.Kernels;

/// <summary>
/// What the index would be with chains: heads, links and keys in plain arrays, one version of each block, and nothing
/// that guards them: no latch, no pins.
/// </summary>
internal sealed class PlainIndex
{
    private const int None = -1;

    private readonly int[] _heads;
    private readonly int[] _next;
    private readonly ulong[] _keys;

    /// <summary>Empty, with three heads for four slots.</summary>
    public PlainIndex(int slots)
    {
        _heads = new int[slots / 4 * 3];
        Array.Fill(_heads, None);
        _next = new int[slots];
        _keys = new ulong[slots];
    }

    /// <summary>The block's slot, or -1.</summary>
    public int Find(ulong key)
    {
        int slot = _heads[HeadOf(key)];
        while (slot != None && _keys[slot] != key) slot = _next[slot];
        return slot;
    }

    /// <summary>The slot has the block from now on, in place of what it and the block had.</summary>
    public void Insert(ulong key, int slot)
    {
        if (_keys[slot] != 0) Remove(_keys[slot], slot);
        int former = Find(key);
        if (former != None) Remove(key, former);
        ref int head = ref _heads[HeadOf(key)];
        (_keys[slot], _next[slot]) = (key, head);
        head = slot;
    }

    private void Remove(ulong key, int slot)
    {
        ref int link = ref _heads[HeadOf(key)];
        while (link != slot) link = ref _next[link];
        link = _next[slot];
        _keys[slot] = 0;
    }

    private uint HeadOf(ulong key)
    {
        ulong hash = (key ^ (key >> 29)) * 0x9E3779B97F4A7C15;
        hash ^= hash >> 32;
        return (uint)(Math.BigMul((uint)hash, (uint)_heads.Length) >> 32);
    }
}

using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using Weir.Core.Base;

namespace Weir.Core.Metadata.Persistent;

/// <summary>
/// The blocks of metadata that are in memory. Those that were read are checked when they are first used, and make room
/// for others; those that were changed stay until their commit has ended, on top of the room for the others. Does no
/// I/O: it says which block is missing.
/// </summary>
/// <remarks>
/// What is used between two calls of <see cref="BeginOperation"/> keeps its place, so that pointers stay good.
/// </remarks>
internal sealed unsafe partial class BlockManager : IDisposable
{
    private const int ChunkBlocks = 64;

    // Below as many clean blocks it is not worth a search: memory grows until the commit.
    private const int FewClean = 24;

    private struct Slot
    {
        public long Number;
        public BlockKind? Kind;
        public long Operation;
        public bool IsUsed;
        public bool IsChanged;
        public bool WasUsed;
    }

    private readonly Dictionary<long, int> _places = [];
    private readonly List<nint> _chunks = [];
    private readonly Stack<int> _free = [];
    private readonly int _usualChunks;
    private Slot[] _slots = [];
    private int _changed;
    private int _hand;
    private long _operation;

    /// <summary>With room for <paramref name="cleanBlocks"/> blocks that were not changed; at least 64.</summary>
    public BlockManager(int cleanBlocks)
    {
        Invariant.Check(cleanBlocks >= 0);
        _usualChunks = Math.Max(1, (cleanBlocks + ChunkBlocks - 1) / ChunkBlocks);
    }

    /// <summary>Blocks that there are; what is not below is damage.</summary>
    public long Limit { get; set; } = long.MaxValue;

    /// <summary>The block that was last missed.</summary>
    public long MissingBlock { get; private set; } = -1;

    /// <summary>Blocks that were changed since the last commit.</summary>
    public int ChangedCount => _changed;

    /// <summary>Bytes taken for blocks.</summary>
    public long MemoryBytes => (long)_chunks.Count * ChunkBlocks * BlockKind.BlockBytes;

    /// <summary>Pointers that were handed out before count no more.</summary>
    public void BeginOperation() => _operation++;

    /// <summary>The block, checked; false: it is missing.</summary>
    /// <exception cref="DamagedMetadataException">It is none of this kind.</exception>
    public bool TryGet(long block, BlockKind kind, out byte* bytes)
    {
        bytes = null;
        if ((ulong)block >= (ulong)Limit)
            throw new DamagedMetadataException(block, kind.Name, $"there are only {Limit} blocks");
        if (!_places.TryGetValue(block, out int place))
        {
            MissingBlock = block;
            return false;
        }
        ref Slot slot = ref _slots[place];
        byte* at = At(place);
        if (slot.Kind != kind) Accept(ref slot, at, kind);
        slot.Operation = _operation;
        slot.WasUsed = true;
        bytes = at;
        return true;
    }

    /// <summary>The block as it was read, unchecked; false: it is missing.</summary>
    public bool TryPeek(long block, out byte* bytes)
    {
        bytes = null;
        if (!_places.TryGetValue(block, out int place))
        {
            MissingBlock = block;
            return false;
        }
        bytes = At(place);
        return true;
    }

    private static void Accept(ref Slot slot, byte* at, BlockKind kind)
    {
        if (slot.Kind is { } other)
            throw new DamagedMetadataException(slot.Number, kind.Name, $"it is in use as {other.Name} too");
        if (kind.Fault(at, slot.Number) is { } fault)
            throw new DamagedMetadataException(slot.Number, kind.Name, fault);
        slot.Kind = kind;
    }

    /// <summary>The content of a block that was missing; one that is here stays as it is.</summary>
    public void Supply(long block, ReadOnlySpan<byte> bytes)
    {
        Invariant.Check(block >= 0);
        Invariant.Check(bytes.Length == BlockKind.BlockBytes);
        if (_places.ContainsKey(block)) return;
        byte* at = Put(block, null, isChanged: false);
        bytes.CopyTo(new Span<byte>(at, BlockKind.BlockBytes));
    }

    /// <summary>A new block, zeroed, which counts as changed.</summary>
    public byte* Add(long block, BlockKind kind)
    {
        Forget(block);
        byte* at = Put(block, kind, isChanged: true);
        new Span<byte>(at, BlockKind.BlockBytes).Clear();
        return at;
    }

    /// <summary>It was changed since the last commit.</summary>
    public bool IsChanged(long block) => _places.TryGetValue(block, out int place) && _slots[place].IsChanged;

    /// <summary>Its content is of no use any more.</summary>
    public void Forget(long block)
    {
        if (!_places.Remove(block, out int place)) return;
        if (_slots[place].IsChanged) _changed--;
        _slots[place] = default;
        _free.Push(place);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (nint chunk in _chunks) NativeMemory.AlignedFree((void*)chunk);
        _chunks.Clear();
        _places.Clear();
        _free.Clear();
        _slots = [];
    }

    private byte* At(int place) =>
        (byte*)_chunks[place / ChunkBlocks] + (long)(place % ChunkBlocks) * BlockKind.BlockBytes;

    private byte* Put(long block, BlockKind? kind, bool isChanged)
    {
        int place = TakePlace();
        _slots[place] = new Slot
        {
            Number = block, Kind = kind, Operation = _operation, IsUsed = true, IsChanged = isChanged, WasUsed = true,
        };
        _places[block] = place;
        if (isChanged) _changed++;
        return At(place);
    }

    private int TakePlace()
    {
        if (_free.Count == 0 && _chunks.Count >= _usualChunks && TryEvict(out int place)) return place;
        if (_free.Count == 0) Grow();
        return _free.Pop();
    }

    private void Grow()
    {
        _chunks.Add((nint)NativeMemory.AlignedAlloc(ChunkBlocks * BlockKind.BlockBytes, BlockKind.BlockBytes));
        int first = _slots.Length;
        Array.Resize(ref _slots, first + ChunkBlocks);
        for (int place = _slots.Length - 1; place >= first; place--) _free.Push(place);
    }

    // A clock over those that were not changed and are not in use by what is being done.
    private bool TryEvict(out int place)
    {
        place = -1;
        if (_slots.Length - _changed <= FewClean) return false;
        for (int steps = 2 * _slots.Length; steps > 0; steps--)
        {
            _hand = _hand + 1 < _slots.Length ? _hand + 1 : 0;
            ref Slot slot = ref _slots[_hand];
            if (!slot.IsUsed || slot.IsChanged || slot.Operation == _operation) continue;
            if (!slot.WasUsed)
            {
                _places.Remove(slot.Number);
                place = _hand;
                return true;
            }
            slot.WasUsed = false;
        }
        return false;
    }
}

using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using Weir.Core.Base;

namespace Weir.Core.Metadata.Persistent;

/// <content>What a commit writes, and what is left of it.</content>
internal sealed unsafe partial class BlockManager
{
    private readonly List<long> _toWrite = [];

    /// <summary>Blocks to write, ascending, after <see cref="Seal"/>.</summary>
    public IReadOnlyList<long> ToWrite => _toWrite;

    /// <summary>Makes everything that was changed whole, ready to be written.</summary>
    public void Seal()
    {
        _toWrite.Clear();
        for (int place = 0; place < _slots.Length; place++)
        {
            ref Slot slot = ref _slots[place];
            if (!slot.IsChanged) continue;
            slot.Kind!.Seal(At(place), slot.Number);
            _toWrite.Add(slot.Number);
        }
        _toWrite.Sort();
        Invariant.Check(_toWrite.Count == _changed);
    }

    /// <summary>A block that was sealed.</summary>
    public byte* Sealed(long block)
    {
        int place = _places[block];
        Invariant.Check(_slots[place].IsChanged);
        return At(place);
    }

    /// <summary>Everything that was changed is on the device; memory shrinks to what is usual.</summary>
    public void EndCommit()
    {
        for (int place = 0; place < _slots.Length; place++) _slots[place].IsChanged = false;
        _changed = 0;
        _toWrite.Clear();
        if (_chunks.Count > _usualChunks) Shrink();
    }

    private void Shrink()
    {
        int kept = _usualChunks * ChunkBlocks;
        for (int place = kept; place < _slots.Length; place++)
            if (_slots[place].IsUsed) _places.Remove(_slots[place].Number);
        for (int chunk = _usualChunks; chunk < _chunks.Count; chunk++)
            NativeMemory.AlignedFree((void*)_chunks[chunk]);
        _chunks.RemoveRange(_usualChunks, _chunks.Count - _usualChunks);
        Array.Resize(ref _slots, kept);
        _hand = 0;
        _free.Clear();
        for (int place = kept - 1; place >= 0; place--)
            if (!_slots[place].IsUsed) _free.Push(place);
    }
}

using System;
using Weir.Core.Base;
using Weir.Core.Metadata.Persistent;

namespace Weir.Core.DmCache.Format;

/// <content>Hints, and what changes sizes.</content>
internal sealed unsafe partial class CacheMetadata
{
    /// <summary>
    /// Makes the hints those of a policy, for all places: all zero when they were another one's, of another version or
    /// another number of places. <paramref name="hintBytes"/> is 4, or 0: the policy has none.
    /// </summary>
    public bool TryBeginHints(string policyName, int hintBytes, (uint Major, uint Minor, uint Patch) version)
    {
        Invariant.Check(hintBytes is 0 or HintBytes);
        Invariant.Check(policyName.Length <= Superblock.MaxNameBytes);
        BeginChange();
        if (_hints != null && !_hints.TryMeasure()) return false;
        bool isSame = Head.PolicyName == policyName && Head.HintBytes == hintBytes && Head.PolicyVersion == version;
        bool isThere = hintBytes == 0 ? _hints == null : _hints != null && _hints.Count == Head.Places;
        if (!isSame || !isThere)
        {
            if (!TryDropHints()) return false;
            if (hintBytes > 0) MakeHints();
        }
        (Head.PolicyName, Head.HintBytes, Head.PolicyVersion) = (policyName, (uint)hintBytes, version);
        return true;
    }

    /// <summary>The hints to the end of their array block; empty when there are none of this place.</summary>
    public bool TryReadHints(uint firstPlace, out ReadOnlySpan<uint> hints)
    {
        hints = default;
        _blocks.BeginOperation();
        if (_hints == null) return true;
        if (!_hints.TryMeasure()) return false;
        if (firstPlace >= _hints.Count) return true;
        if (!_hints.TryRead(firstPlace, out byte* entries, out int count)) return false;
        hints = new ReadOnlySpan<uint>(entries, count);
        return true;
    }

    /// <summary>After <see cref="TryBeginHints"/>.</summary>
    public bool TrySetHint(uint place, uint hint)
    {
        BeginChange();
        if (!Opened(_hints).TryMeasure()) return false;
        if (!_hints!.TryChange(place, out byte* entry)) return false;
        *(uint*)entry = hint;
        return true;
    }

    /// <summary>
    /// As many discard blocks of this size; those that were marked stay so only when the size is the same.
    /// </summary>
    public bool TryResizeDiscards(long blockSectors, long count)
    {
        BeginChange();
        Bitset discards = Opened(_discards);
        if (Head.DiscardBlockSectors != blockSectors)
        {
            if (!TryResize(discards, 0)) return false;
            Head.DiscardBlockSectors = blockSectors;
        }
        return TryResize(discards, count);

        bool TryResize(Bitset bits, long size)
        {
            if (!bits.TryResize(size)) return false;
            Head.DiscardBlocks = size;
            return true;
        }
    }

    /// <summary>As many places, in all arrays. Those that are cut off are gone, whatever they held.</summary>
    public bool TryResize(uint places)
    {
        BeginChange();
        if (places == Head.Places) return true;
        if (_hints != null && !_hints.TryMeasure()) return false;
        if (!_isResizing) CheckRoom(places);
        _isResizing = true;
        if (!Opened(_mappings).TryResize(places)) return false;
        if (_dirty != null && !_dirty.TryResize(places)) return false;
        if (_hints != null && !_hints.TryResize(places)) return false;
        _isResizing = false;
        Head.Places = places;
        return true;
    }

    private bool _isResizing;

    /// <summary>
    /// Metadata blocks that so many places need more than there are, with hints for all of them; 0: they fit.
    /// </summary>
    public bool TryCountMissing(uint places, out long missing)
    {
        missing = 0;
        _blocks.BeginOperation();
        if (_hints != null && !_hints.TryMeasure()) return false;
        long hints = _hints == null ? BlocksOf(places, HintBytes) + 1 : 0;
        missing = Math.Max(0, NeededFor(places) + hints - FreeMetadataBlocks);
        return true;
    }

    private long NeededFor(uint places)
    {
        long needed = MoreOf(_mappings!, places);
        if (_dirty != null) needed += MoreOf(_dirty.Words, Bitset.WordsOf(places)) + 4;
        if (_hints != null) needed += MoreOf(_hints, places);
        return needed;
    }

    // Before anything is changed: arrays of different lengths would be damage.
    private void CheckRoom(uint places)
    {
        if (NeededFor(places) > FreeMetadataBlocks) throw new MetadataFullException(MetadataBlocks);
    }

    private static long MoreOf(PersistentArray array, long count)
    {
        int valueBytes = (BlockBytes - ArrayBlockHeader.Bytes) / array.PerBlock;
        long blocks = PersistentArray.BlocksOf(count, valueBytes);
        return Math.Max(0, blocks - array.BlockCount) + BTree.NodesOf(blocks, BTreeNode.ChildBytes) + 1;
    }

    private bool TryDropHints()
    {
        if (_hints == null) return true;
        if (!_hints.TryFree()) return false;
        _hints = null;
        return true;
    }

    // Nothing of a new array is missing.
    private void MakeHints()
    {
        long blocks = BlocksOf(Head.Places, HintBytes);
        if (blocks + 1 > FreeMetadataBlocks) throw new MetadataFullException(MetadataBlocks);
        _hints = PersistentArray.Create(Opened(_transaction), HintBytes);
        bool isDone = _hints.TryResize(Head.Places);
        Invariant.Check(isDone);
    }
}

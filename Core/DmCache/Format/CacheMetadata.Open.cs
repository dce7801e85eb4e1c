using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Metadata.Persistent;

namespace Weir.Core.DmCache.Format;

/// <content>How metadata are made, and opened.</content>
internal sealed unsafe partial class CacheMetadata
{
    private ulong[]? _claimed;
    private int _claimedArrays;
    private bool _isComplete;

    /// <summary>
    /// New metadata: all of them are written by the first commit. They leave the mark of <see cref="Head"/>, which is
    /// the caller's to set. Throws <see cref="MetadataFullException"/> when they do not fit.
    /// </summary>
    public static CacheMetadata Create(in CacheShape shape, int cacheBlocks)
    {
        Invariant.Check(shape.Version is SuperblockCodec.FirstVersion or SuperblockCodec.LastVersion);
        Invariant.Check(shape.BlockSectors > 0);
        Invariant.Check(shape.MetadataBlocks is > 0 and <= MaxBlocks);
        if (BlocksFor(shape.Version, shape.Places) > shape.MetadataBlocks)
            throw new MetadataFullException(shape.MetadataBlocks);
        CacheMetadata made = new(cacheBlocks);
        made._head = new Superblock { Version = shape.Version, BlockSectors = shape.BlockSectors, IsClean = true };
        made.Begin(shape.MetadataBlocks, static _ => false);
        bool isDone = made.TryResize(shape.Places);
        Invariant.Check(isDone);
        made.IsOurs = true;
        return made;
    }

    /// <summary>
    /// New metadata with the superblock that is there, but without mappings, hints and discards, in other blocks than
    /// those that <paramref name="isTaken"/>: they are where they were until the first commit has ended. Throws
    /// <see cref="MetadataFullException"/>.
    /// </summary>
    public static CacheMetadata CreateBeside(
        ReadOnlySpan<byte> superblock, long blocks, Func<long, bool> isTaken, int cacheBlocks)
    {
        CacheMetadata made = new(cacheBlocks);
        superblock.CopyTo(new Span<byte>(made._superblock.Pointer, BlockBytes));
        made._head = SuperblockCodec.Read(made.Disk);
        uint places = made._head.Places;
        (made._head.Places, made._head.DiscardBlocks) = (0, 0);
        try
        {
            made.Begin(blocks, isTaken);
            bool isDone = made.TryResize(places);
            Invariant.Check(isDone);
            return made;
        }
        catch (MetadataFullException)
        {
            made.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Blocks that new metadata of as many places take, with hints, and room to make the hints anew.
    /// </summary>
    public static long BlocksFor(int version, long places)
    {
        const int changes = 32;
        long arrays = LeastBlocksFor(version, places) + BlocksOf(places, HintBytes)
            + BlocksOf(Bitset.WordsOf(MaxDiscardBlocks), sizeof(ulong));
        long bitmaps = arrays / SpaceMapFormat.BitmapCounts + 1;
        return 1 + arrays + 2 * (bitmaps + 2) + changes;
    }

    /// <summary>Blocks that the arrays of so many places take at least, with hints.</summary>
    public static long LeastBlocksFor(int version, long places) =>
        BlocksOf(places, sizeof(ulong)) + BlocksOf(places, HintBytes)
            + (version == 2 ? BlocksOf(Bitset.WordsOf(places), sizeof(ulong)) : 0);

    /// <summary>The kernel has no more discard blocks than that.</summary>
    public const long MaxDiscardBlocks = 16384;

    /// <summary>
    /// Opens them: superblock, space map, and the nodes of all trees, so that what they name is known to be in use, and
    /// for one thing only. False: a block is missing. Throws <see cref="RefusedMetadataException"/> and
    /// <see cref="DamagedMetadataException"/>.
    /// </summary>
    public bool TryOpen()
    {
        _blocks.BeginOperation();
        if (_isComplete) return true;
        if (_head == null && !TryReadHead()) return false;
        if (!TryLoadSpace() || !TryClaimArrays()) return false;
        _isComplete = true;
        _claimed = null;
        return true;
    }

    /// <summary>
    /// Adds the blocks of an array, in order of their entries, so that they can be read in a few large pieces and
    /// supplied. Nothing for an array that there is not.
    /// </summary>
    public bool TryListBlocks(CacheArray array, List<ArrayBlock> blocks)
    {
        _blocks.BeginOperation();
        if (ArrayOf(array) is not { } found) return true;
        if (!found.TryList(out List<long> list, out _)) return false;
        for (int i = 0; i < list.Count; i++) blocks.Add(new ArrayBlock(list[i], (long)i * found.PerBlock));
        return true;
    }

    private static long BlocksOf(long count, int valueBytes)
    {
        long blocks = PersistentArray.BlocksOf(count, valueBytes);
        return blocks + BTree.NodesOf(blocks, BTreeNode.ChildBytes);
    }

    private void Begin(long blocks, Func<long, bool> isTaken)
    {
        _blocks.Limit = blocks;
        _space = new SpaceMap(_blocks, blocks);
        _transaction = new Transaction(_blocks, _space);
        _space.Begin(_transaction);
        for (long block = 0; block < blocks; block++)
            if (isTaken(block)) _space.Spare(block);
        _mappings = PersistentArray.Create(_transaction, sizeof(ulong));
        _discards = Bitset.Create(_transaction);
        if (Head.Version == 2) _dirty = Bitset.Create(_transaction);
        _isComplete = true;
    }

    private bool TryReadHead()
    {
        if (!_blocks.TryPeek(0, out byte* bytes)) return false;
        SuperblockCodec.Check(bytes);
        ReadOnlySpan<byte> found = new(bytes, BlockBytes);
        found.CopyTo(new Span<byte>(_superblock.Pointer, BlockBytes));
        found.CopyTo(new Span<byte>(_durable.Pointer, BlockBytes));
        _blocks.Forget(0);
        _head = SuperblockCodec.Read(Disk);
        IsOurs = Disk->IsMarked;
        _blocks.Limit = Disk->SpaceMap.Blocks;
        _space = new SpaceMap(_blocks, _blocks.Limit);
        _transaction = new Transaction(_blocks, _space);
        _mappings = new PersistentArray(_transaction, sizeof(ulong), Disk->MappingRoot, _head.Places);
        _discards = BitsAt(Disk->DiscardRoot, _head.DiscardBlocks);
        if (_head.Version == 2) _dirty = BitsAt(Disk->DirtyRoot, _head.Places);
        if (Disk->HintRoot != 0) _hints = PersistentArray.OpenEnded(_transaction, HintBytes, Disk->HintRoot);
        return true;
    }

    private Bitset BitsAt(long root, long bits) =>
        new(new PersistentArray(_transaction!, sizeof(ulong), root, Bitset.WordsOf(bits)), bits);

    private bool TryLoadSpace()
    {
        if (_claimed != null) return true;
        if (!_space!.TryLoad(Disk->SpaceMap)) return false;
        _claimed = new ulong[(_space.Blocks + 63) / 64];
        List<long> own = [0];
        _space.ListOwn(own);
        foreach (long block in own) Claim(block, "space map");
        return true;
    }

    private bool TryClaimArrays()
    {
        for (; _claimedArrays < Enum.GetValues<CacheArray>().Length; _claimedArrays++)
        {
            if (ArrayOf((CacheArray)_claimedArrays) is not { } array) continue;
            if (!array.TryList(out List<long> blocks, out List<long> nodes)) return false;
            foreach (long node in nodes) Claim(node, BlockKind.Node.Name);
            foreach (long block in blocks) Claim(block, BlockKind.Array.Name);
        }
        return true;
    }

    // What is in use twice, or free, would be written over.
    private void Claim(long block, string kind)
    {
        if (_space!.Count(block) == 0)
            throw new DamagedMetadataException(block, kind, "the space map says that it is free");
        ref ulong word = ref _claimed![block / 64];
        ulong bit = 1UL << (int)(block % 64);
        if ((word & bit) != 0) throw new DamagedMetadataException(block, kind, "it is in use twice");
        word |= bit;
    }

    private PersistentArray? ArrayOf(CacheArray array) => array switch
    {
        CacheArray.Mappings => Opened(_mappings),
        CacheArray.Dirty => _dirty?.Words,
        CacheArray.Hints => _hints,
        _ => Opened(_discards).Words,
    };
}

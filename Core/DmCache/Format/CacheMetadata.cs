using System;
using Weir.Core.Base;
using Weir.Core.Metadata.Persistent;

namespace Weir.Core.DmCache.Format;

/// <summary>
/// The metadata of a cache as the kernel's dm-cache keeps them, without any I/O: the caller supplies the blocks that a
/// call has missed, and writes those that a commit hands out. One thread at a time.
/// </summary>
/// <remarks>
/// What is named Try returns false when <see cref="MissingBlock"/> is wanted: <see cref="Supply"/> it and call again.
/// Nothing is lost by that. Spans stay valid until the next call. Commit: <see cref="TryPrepareCommit"/>; write what
/// <see cref="BlockToWrite"/> hands out; flush; write <see cref="SuperblockToWrite"/> to block 0; flush;
/// <see cref="EndCommit"/>. Nothing is changed between the first and the last of these. Everything may throw
/// <see cref="DamagedMetadataException"/>, and what changes anything <see cref="MetadataFullException"/>.
/// </remarks>
internal sealed unsafe partial class CacheMetadata : IDisposable
{
    /// <summary>Bytes of a metadata block.</summary>
    public const int BlockBytes = BlockKind.BlockBytes;

    /// <summary>Most blocks that metadata can have.</summary>
    public const long MaxBlocks = SpaceMapFormat.MaxBlocks;

    /// <summary>Bytes of a hint.</summary>
    public const int HintBytes = sizeof(uint);

    private readonly BlockManager _blocks;
    private readonly AlignedMemory _superblock = new(BlockBytes);
    private readonly AlignedMemory _durable = new(BlockBytes);
    private SpaceMap? _space;
    private Transaction? _transaction;
    private PersistentArray? _mappings;
    private Bitset? _dirty;
    private PersistentArray? _hints;
    private Bitset? _discards;
    private Superblock? _head;

    /// <summary>
    /// Metadata that are going to be opened; up to <paramref name="cacheBlocks"/> clean blocks are kept in memory.
    /// </summary>
    public CacheMetadata(int cacheBlocks) => _blocks = new BlockManager(cacheBlocks);

    /// <summary>The block that the call wants that has just returned false.</summary>
    public long MissingBlock => _blocks.MissingBlock;

    /// <summary>The content of a block; one that is here already stays as it is.</summary>
    public void Supply(long block, ReadOnlySpan<byte> bytes)
    {
        _blocks.BeginOperation();
        _blocks.Supply(block, bytes);
    }

    /// <summary>The superblock.</summary>
    public Superblock Head => Opened(_head);

    /// <summary>Weir was the last to write the superblock, when it was opened.</summary>
    public bool IsOurs { get; private set; }

    /// <summary>Blocks of 4 KiB in all.</summary>
    public long MetadataBlocks => Opened(_space).Blocks;

    /// <summary>
    /// How many blocks changes can still take before a commit: one for each block that is changed for the first time,
    /// nodes on the way to it included.
    /// </summary>
    public long FreeMetadataBlocks => Opened(_space).Free;

    /// <summary>Blocks that are in use.</summary>
    public long UsedMetadataBlocks => Opened(_space).Allocated;

    /// <summary>Bytes of memory for blocks.</summary>
    public long MemoryBytes => _blocks.MemoryBytes;

    /// <summary>The mappings from <paramref name="firstPlace"/> to the end of their array block.</summary>
    public bool TryReadMappings(uint firstPlace, out ReadOnlySpan<ulong> words) =>
        TryReadWords(Opened(_mappings), firstPlace, out words);

    /// <summary>
    /// (home &lt;&lt; 16) | flags: 1 valid, 2 dirty (version 1 only); 0: nothing is there. See <see cref="Mapping"/>.
    /// </summary>
    public bool TrySetMapping(uint place, ulong word)
    {
        Invariant.Check(Head.Version == 1 || (word & Mapping.Dirty) == 0);
        Invariant.Check(word == 0 || (word & Mapping.Valid) != 0);
        BeginChange();
        if (!Opened(_mappings).TryChange(place, out byte* entry)) return false;
        *(ulong*)entry = word;
        return true;
    }

    /// <summary>Version 2: dirty bits of 64 places each, to the end of their array block.</summary>
    public bool TryReadDirtyWords(uint firstWord, out ReadOnlySpan<ulong> words) =>
        TryReadWords(Opened(_dirty).Words, firstWord, out words);

    /// <summary>
    /// Version 2: the dirty bits of 64 places. Those past the last place are zero; those of places where nothing is
    /// have to be, or <c>cache_check</c> refuses the metadata.
    /// </summary>
    public bool TrySetDirtyWord(uint word, ulong bits)
    {
        BeginChange();
        return Opened(_dirty).TrySet(word, bits);
    }

    /// <summary>The discard marks of 64 discard blocks each, to the end of their array block.</summary>
    public bool TryReadDiscardWords(long firstWord, out ReadOnlySpan<ulong> words) =>
        TryReadWords(Opened(_discards).Words, firstWord, out words);

    /// <summary>The marks of 64 discard blocks. Those past the last block are zero.</summary>
    public bool TrySetDiscardWord(long word, ulong bits)
    {
        BeginChange();
        return Opened(_discards).TrySet(word, bits);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _blocks.Dispose();
        _superblock.Dispose();
        _durable.Dispose();
    }

    private DiskSuperblock* Disk => (DiskSuperblock*)_superblock.Pointer;

    private static T Opened<T>(T? part) where T : class
    {
        Invariant.Check(part != null);
        return part;
    }

    private bool TryReadWords(PersistentArray array, long first, out ReadOnlySpan<ulong> words)
    {
        words = default;
        _blocks.BeginOperation();
        if (!array.TryRead(first, out byte* entries, out int count)) return false;
        words = new ReadOnlySpan<ulong>(entries, count);
        return true;
    }
}

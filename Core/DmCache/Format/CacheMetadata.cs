using System;
using System.Collections.Generic;

namespace Weir.Core.DmCache.Format;

/// <summary>
/// The metadata of a cache as the kernel's dm-cache keeps them, without any I/O: the caller supplies the blocks that a
/// call has missed, and writes those that a commit hands out. One thread at a time.
/// </summary>
/// <remarks>
/// What is named Try returns false when <see cref="MissingBlock"/> is wanted: <see cref="Supply"/> it and call again.
/// Nothing is lost by that. Spans stay valid until the next call. Commit: <see cref="TryPrepareCommit"/>; write what
/// <see cref="BlockToWrite"/> hands out; flush; write <see cref="SuperblockToWrite"/> to block 0; flush;
/// <see cref="EndCommit"/>. Nothing is changed between the first and the last of these.
/// </remarks>
internal sealed unsafe class CacheMetadata : IDisposable
{
    /// <summary>Bytes of a metadata block.</summary>
    public const int BlockBytes = 4096;

    /// <summary>Most blocks that metadata can have.</summary>
    public const long MaxBlocks = 255 * 16320;

    /// <summary>
    /// Metadata that are going to be opened; up to <paramref name="cacheBlocks"/> clean blocks are kept in memory.
    /// </summary>
    public CacheMetadata(int cacheBlocks) => throw new NotSupportedException($"{cacheBlocks}");

    /// <summary>New metadata: all of them are written by the first commit.</summary>
    public static CacheMetadata Create(in CacheShape shape, int cacheBlocks) =>
        throw new NotSupportedException($"{shape} {cacheBlocks}");

    /// <summary>
    /// Opens them: superblock and space map. Throws <see cref="RefusedMetadataException"/> or
    /// <c>DamagedMetadataException</c>.
    /// </summary>
    public bool TryOpen() => throw new NotSupportedException();

    /// <summary>The block that the call wants that has just returned false.</summary>
    public long MissingBlock => throw new NotSupportedException();

    /// <summary>The content of a block; one that is here already stays as it is.</summary>
    public void Supply(long block, ReadOnlySpan<byte> bytes) => throw new NotSupportedException();

    /// <summary>The superblock.</summary>
    public Superblock Head => throw new NotSupportedException();

    /// <summary>Weir was the last to write the superblock.</summary>
    public bool IsOurs => throw new NotSupportedException();

    /// <summary>Blocks of 4 KiB in all.</summary>
    public long MetadataBlocks => throw new NotSupportedException();

    /// <summary>
    /// How many blocks changes can still take before a commit: one for each block that is changed for the first time.
    /// </summary>
    public long FreeMetadataBlocks => throw new NotSupportedException();

    /// <summary>The mappings from <paramref name="firstPlace"/> to the end of their array block.</summary>
    public bool TryReadMappings(uint firstPlace, out ReadOnlySpan<ulong> words) => throw new NotSupportedException();

    /// <summary>(home &lt;&lt; 16) | flags: 1 valid, 2 dirty (version 1 only); 0: nothing is there.</summary>
    public bool TrySetMapping(uint place, ulong word) => throw new NotSupportedException();

    /// <summary>Version 2: dirty bits of 64 places each, to the end of their array block.</summary>
    public bool TryReadDirtyWords(uint firstWord, out ReadOnlySpan<ulong> words) => throw new NotSupportedException();

    /// <summary>Version 2: the dirty bits of 64 places.</summary>
    public bool TrySetDirtyWord(uint word, ulong bits) => throw new NotSupportedException();

    /// <summary>Makes the hints those of a policy: all zero when they were another one's.</summary>
    public bool TryBeginHints(string policyName, int hintBytes, (uint, uint, uint) version) =>
        throw new NotSupportedException();

    /// <summary>The hints to the end of their array block; empty when there are none.</summary>
    public bool TryReadHints(uint firstPlace, out ReadOnlySpan<uint> hints) => throw new NotSupportedException();

    /// <summary>After <see cref="TryBeginHints"/>.</summary>
    public bool TrySetHint(uint place, uint hint) => throw new NotSupportedException();

    /// <summary>
    /// As many discard blocks of this size; those that were marked stay so only when the size is the same.
    /// </summary>
    public bool TryResizeDiscards(long blockSectors, long count) => throw new NotSupportedException();

    /// <summary>The discard marks of 64 discard blocks each, to the end of their array block.</summary>
    public bool TryReadDiscardWords(long firstWord, out ReadOnlySpan<ulong> words) => throw new NotSupportedException();

    /// <summary>The marks of 64 discard blocks.</summary>
    public bool TrySetDiscardWord(long word, ulong bits) => throw new NotSupportedException();

    /// <summary>As many places, in all arrays. Those that are cut off are gone, whatever they held.</summary>
    public bool TryResize(uint places) => throw new NotSupportedException();

    /// <summary>
    /// Adds the blocks of an array, in order of their entries, so that they can be read in a few large pieces and
    /// supplied.
    /// </summary>
    public bool TryListBlocks(CacheArray array, List<ArrayBlock> blocks) => throw new NotSupportedException();

    /// <summary>There is something to commit. A changed <see cref="Head"/> alone is not seen.</summary>
    public bool HasChanges => throw new NotSupportedException();

    /// <summary>Settles what is going to be written. The superblock is as <see cref="Head"/> says now.</summary>
    public bool TryPrepareCommit() => throw new NotSupportedException();

    /// <summary>Blocks to write before the superblock.</summary>
    public int WriteCount => throw new NotSupportedException();

    /// <summary>Number and content of one of them, ascending.</summary>
    public long BlockToWrite(int index, out byte* bytes) => throw new NotSupportedException();

    /// <summary>Block 0.</summary>
    public byte* SuperblockToWrite => throw new NotSupportedException();

    /// <summary>
    /// The commit has ended. After one that failed nothing can be changed any more; what has been changed can be read.
    /// </summary>
    public void EndCommit(bool succeeded) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}

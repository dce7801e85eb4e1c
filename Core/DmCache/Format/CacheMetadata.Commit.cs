using System;
using Weir.Core.Base;

namespace Weir.Core.DmCache.Format;

/// <content>
/// Commit: what was changed lies in blocks that the old superblock does not name, and the superblock is written last,
/// in one sector. So a crash at any moment leaves the old state or the new one, whole.
/// </content>
internal sealed unsafe partial class CacheMetadata
{
    private bool _isCommitting;
    private bool _hasFailed;

    /// <summary>There is something to commit. A changed <see cref="Head"/> alone is not seen.</summary>
    public bool HasChanges => Opened(_space).IsChanged || _blocks.ChangedCount > 0;

    /// <summary>Settles what is going to be written. The superblock is as <see cref="Head"/> says now.</summary>
    /// <returns>True; false, as for every Try, would mean that a block is missing.</returns>
    public bool TryPrepareCommit()
    {
        BeginChange();
        Disk->SpaceMap = Opened(_space).Prepare(Opened(_transaction));
        _blocks.Seal();
        SuperblockCodec.Write(Head, Disk);
        Disk->MappingRoot = _mappings!.Root;
        Disk->HintRoot = _hints?.Root ?? 0;
        Disk->DiscardRoot = _discards!.Words.Root;
        if (_dirty != null) Disk->DirtyRoot = _dirty.Words.Root;
        SuperblockCodec.Seal(Head.Mark, _superblock.Pointer);
        _isCommitting = true;
        return true;
    }

    /// <summary>Blocks to write before the superblock.</summary>
    public int WriteCount => _blocks.ToWrite.Count;

    /// <summary>Number and content of one of them, ascending; good until <see cref="EndCommit"/>.</summary>
    public long BlockToWrite(int index, out byte* bytes)
    {
        Invariant.Check(_isCommitting);
        long block = _blocks.ToWrite[index];
        bytes = _blocks.Sealed(block);
        return block;
    }

    /// <summary>Block 0.</summary>
    public byte* SuperblockToWrite
    {
        get
        {
            Invariant.Check(_isCommitting);
            return _superblock.Pointer;
        }
    }

    /// <summary>
    /// The commit has ended. After one that failed nothing can be changed any more; what has been changed can be read.
    /// </summary>
    public void EndCommit(bool succeeded)
    {
        Invariant.Check(_isCommitting);
        _isCommitting = false;
        if (!succeeded)
        {
            _hasFailed = true;
            return;
        }
        _blocks.EndCommit();
        _space!.EndCommit();
        new ReadOnlySpan<byte>(_superblock.Pointer, BlockBytes).CopyTo(
            new Span<byte>(_durable.Pointer, BlockBytes));
    }

    /// <summary>A commit has failed such that the next start is to refuse them; any thread may look.</summary>
    public bool MustBeChecked { get; private set; }

    /// <summary>
    /// After a commit that failed: block 0 as the last good one left it, but for the flag that a check is needed. What
    /// it names is all there still.
    /// </summary>
    public byte* SuperblockThatNeedsCheck
    {
        get
        {
            Invariant.Check(_hasFailed);
            MustBeChecked = true;
            DiskSuperblock* disk = (DiskSuperblock*)_durable.Pointer;
            WriterMark? mark = SuperblockCodec.Read(disk).Mark;
            disk->Flags |= DiskSuperblock.NeedsCheckFlag;
            SuperblockCodec.Seal(mark, _durable.Pointer);
            return _durable.Pointer;
        }
    }

    /// <summary>Before the first commit: block 0 as it was found.</summary>
    public byte* SuperblockAsFound
    {
        get
        {
            Invariant.Check(!_isCommitting);
            return _durable.Pointer;
        }
    }

    /// <summary>
    /// Between commits: block 0 as the last good one left it, but for the note that a flush of the cache device has
    /// failed. Nothing is committed after it.
    /// </summary>
    public byte* SuperblockThatLostFlush
    {
        get
        {
            Invariant.Check(!_isCommitting);
            SuperblockCodec.NoteLostFlush(_durable.Pointer);
            return _durable.Pointer;
        }
    }

    private void BeginChange()
    {
        Invariant.Check(!_isCommitting);
        Invariant.Check(!_hasFailed);
        _blocks.BeginOperation();
    }
}

using System.Threading;

namespace Weir.Core.DmCache.Commit;

/// <summary>What commits have cost. Written by the committer's thread, read by any.</summary>
internal sealed class CommitCounters
{
    private long _commits;
    private long _blocks;

    /// <summary>Commits that became durable.</summary>
    public long Commits => Volatile.Read(ref _commits);

    /// <summary>Blocks of 4 KiB that they wrote, superblocks too.</summary>
    public long Blocks => Volatile.Read(ref _blocks);

    /// <summary>One more, of so many blocks beside the superblock.</summary>
    public void Count(int blocks)
    {
        Volatile.Write(ref _commits, _commits + 1);
        Volatile.Write(ref _blocks, _blocks + blocks + 1);
    }
}

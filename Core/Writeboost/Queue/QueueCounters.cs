using System.Threading;
using Weir.Core.Io;
using Weir.Core.Writeboost.Index;

namespace Weir.Core.Writeboost.Queue;

/// <summary>What one queue has done. Written by its thread alone, read by any; sums may lag a little.</summary>
public sealed unsafe class QueueCounters
{
    /// <summary>Requests by kind: index is <see cref="RequestKind"/>.</summary>
    public readonly long[] Requests = new long[8];

    /// <summary>Bytes by kind.</summary>
    public readonly long[] Bytes = new long[8];

    /// <summary>Writes with FUA.</summary>
    public long Fua;

    /// <summary>Block parts read from RAM, cache device and backing device.</summary>
    public long FromRam, FromCache, FromBacking;

    /// <summary>Requests answered while clients have a latency target, and those of them that took longer.</summary>
    public long Timed, Slow;

    /// <summary>Counts an answer for write-back, which aims at the target.</summary>
    public void CountLatency(long latencyUs, long targetUs)
    {
        Timed++;
        if (latencyUs > targetUs) Slow++;
    }

    /// <summary>Counts a request that comes in, as the client has asked for it.</summary>
    public void Count(RequestKind kind, RequestFlags flags, long lengthBytes)
    {
        if ((flags & RequestFlags.Counted) != 0) return;
        Requests[(int)kind]++;
        Bytes[(int)kind] += lengthBytes;
        if ((flags & RequestFlags.Fua) != 0) Fua++;
    }

    /// <summary>Counts where a block came from.</summary>
    public void CountRead(BlockVersion* versions, int count, bool fromBacking)
    {
        for (int i = 0; i < count; i++)
        {
            if (versions[i].Ram >= 0) FromRam++; else FromCache++;
        }
        if (fromBacking) FromBacking++;
    }

    /// <summary>
    /// Parts of requests in one block, as the seeds count them: write, found in the log, found in RAM, all of the block
    /// are bits 3 to 0 of the index.
    /// </summary>
    public readonly long[] Pieces = new long[16];

    /// <summary>The names of <see cref="Pieces"/>; nothing is ever in RAM that is not in the log.</summary>
    public static string[] PieceNames { get; } =
    [
        "pieces_read_miss_part", "pieces_read_miss_full", "pieces_read_none_part", "pieces_read_none_full",
        "pieces_read_cache_part", "pieces_read_cache_full", "pieces_read_ram_part", "pieces_read_ram_full",
        "pieces_write_miss_part", "pieces_write_miss_full", "pieces_write_none_part", "pieces_write_none_full",
        "pieces_write_cache_part", "pieces_write_cache_full", "pieces_write_ram_part", "pieces_write_ram_full",
    ];

    /// <summary>Reads: blocks staged, and blocks that were not for want of room or because they had changed.</summary>
    public long Staged, NotStaged;

    /// <summary>Reads begun again because of rot.</summary>
    public long Reread;

    /// <summary>
    /// Blocks of the cache device that nobody compared with a checksum, and reads of them whose bytes went from device
    /// to client without being in our memory.
    /// </summary>
    public long Unverified, HandedOn;

    /// <summary>Bytes of reads that were longer than the threshold, or part of a long sequential stream.</summary>
    public long SequentialReadBytes;

    /// <summary>Bytes of writes that went round the log.</summary>
    public long AroundBytes;

    /// <summary>Counts a part of a request in one block.</summary>
    public void CountPiece(bool isWrite, FoundIn found, bool isWhole) =>
        Pieces[(isWrite ? 8 : 0) + (found != FoundIn.Nothing ? 4 : 0) + (found == FoundIn.Ram ? 2 : 0)
            + (isWhole ? 1 : 0)]++;

    /// <summary>Zeroes everything (the seeds' clear_stat); from any thread.</summary>
    public void Clear()
    {
        System.Array.Clear(Requests);
        System.Array.Clear(Bytes);
        Volatile.Write(ref Fua, 0);
        FromRam = FromCache = FromBacking = 0;
        System.Array.Clear(Pieces);
        Unverified = HandedOn = 0;
        Staged = NotStaged = Reread = SequentialReadBytes = AroundBytes = 0;
    }
}

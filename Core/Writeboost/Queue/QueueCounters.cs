using Weir.Core.Volumes;
using Weir.Core.Writeboost.Index;

namespace Weir.Core.Writeboost.Queue;

/// <summary>What one queue has done, the engine's own numbers too; see <see cref="RequestCounters"/>.</summary>
internal sealed class QueueCounters() : RequestCounters(own: Last - FirstOwn + 1)
{
    /// <summary>
    /// Parts of requests in one block, as the seeds count them: write, found in the log, found in RAM, all of the block
    /// are bits 3 to 0 of what is added.
    /// </summary>
    public const int Pieces = FirstOwn, PieceKinds = 16;

    /// <summary>Block parts read from RAM, cache device and backing device.</summary>
    public const int FromRam = Pieces + PieceKinds, FromCache = FromRam + 1, FromBacking = FromCache + 1;

    /// <summary>Reads: blocks staged, and blocks that were not for want of room or because they had changed.</summary>
    public const int Staged = FromBacking + 1, NotStaged = Staged + 1;

    /// <summary>Reads begun again because of rot.</summary>
    public const int Reread = NotStaged + 1;

    /// <summary>
    /// Blocks of the cache device that nobody compared with a checksum, and reads of them whose bytes went from device
    /// to client without being in our memory.
    /// </summary>
    public const int Unverified = Reread + 1, HandedOn = Unverified + 1;

    /// <summary>Bytes of reads that were longer than the threshold, or part of a long sequential stream.</summary>
    public const int SequentialReadBytes = HandedOn + 1;

    /// <summary>Bytes of writes that went round the log.</summary>
    public const int AroundBytes = SequentialReadBytes + 1;

    private const int Last = AroundBytes;

    /// <summary>The names of <see cref="Pieces"/>; nothing is ever in RAM that is not in the log.</summary>
    public static string[] PieceNames { get; } =
    [
        "pieces_read_miss_part", "pieces_read_miss_full", "pieces_read_none_part", "pieces_read_none_full",
        "pieces_read_cache_part", "pieces_read_cache_full", "pieces_read_ram_part", "pieces_read_ram_full",
        "pieces_write_miss_part", "pieces_write_miss_full", "pieces_write_none_part", "pieces_write_none_full",
        "pieces_write_cache_part", "pieces_write_cache_full", "pieces_write_ram_part", "pieces_write_ram_full",
    ];

    /// <summary>Counts where a block came from.</summary>
    public unsafe void CountRead(BlockVersion* versions, int count, bool fromBacking)
    {
        for (int i = 0; i < count; i++) Add(versions[i].Ram >= 0 ? FromRam : FromCache, 1);
        if (fromBacking) Add(FromBacking, 1);
    }

    /// <summary>Counts a part of a request in one block.</summary>
    public void CountPiece(bool isWrite, FoundIn found, bool isWhole) =>
        Add(Pieces + (isWrite ? 8 : 0) + (found != FoundIn.Nothing ? 4 : 0) + (found == FoundIn.Ram ? 2 : 0)
            + (isWhole ? 1 : 0), 1);
}

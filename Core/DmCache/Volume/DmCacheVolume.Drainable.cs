using Weir.Core.Base;
using Weir.Core.Volumes;

namespace Weir.Core.DmCache.Volume;

/// <content>What <c>weir drain</c> asks of the volume.</content>
public sealed unsafe partial class DmCacheVolume : IDrainable
{
    /// <inheritdoc/>
    public long DrainBlocksLeft => Map.Table.DirtyCount;

    string IDrainable.StillDirty
    {
        get
        {
            long blocks = DrainBlocksLeft;
            string size = ByteSize.Format(blocks * Map.Geometry.BlockBytes);
            return $"{blocks} block{(blocks == 1 ? " is" : "s are")} dirty ({size})";
        }
    }

    /// <summary>Everything dirty goes home as fast as it can, until nothing is.</summary>
    long IDrainable.Drain()
    {
        BeginDrain();
        return 0;
    }

    bool IDrainable.IsWrittenBack(long position) =>
        Map.Table.DirtyCount == 0 || Map.Table.DirtyCount <= LostBlockCount;

    /// <inheritdoc/>
    public long LostBlockCount => Lost.Count;

    /// <inheritdoc/>
    public string? LostSentence => Lost.Sentence;

    void IDrainable.CheckGiveUp(string range) => _ = Lost.Select(range);

    IGiveUpOrder? IDrainable.BeginGiveUp(string range) => Lost.Begin(range, out _);

    /// <summary>Whatever is cached stays: it is told that by its own metadata, and compared when it is doubtful.
    /// </summary>
    void IDrainable.OutdateClean()
    {
    }
}

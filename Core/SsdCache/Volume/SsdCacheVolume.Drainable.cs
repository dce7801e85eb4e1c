using Weir.Core.Base;
using Weir.Core.SsdCache.Format;
using Weir.Core.Volumes;

namespace Weir.Core.SsdCache.Volume;

/// <content>What <c>weir drain</c> asks of the volume.</content>
internal sealed unsafe partial class SsdCacheVolume : IDrainable
{
    /// <inheritdoc/>
    public long DrainBlocksLeft => Table.DirtyCount;

    string IDrainable.StillDirty
    {
        get
        {
            long blocks = DrainBlocksLeft;
            string size = ByteSize.Format(Table.DirtyUnits * SsdGeometry.UnitBytes);
            return $"{blocks} block{(blocks == 1 ? " is" : "s are")} dirty ({size})";
        }
    }

    /// <summary>Everything dirty goes home as fast as it can, until nothing is.</summary>
    long IDrainable.Drain()
    {
        BeginDrain();
        return 0;
    }

    bool IDrainable.IsWrittenBack(long position) => Table.DirtyCount == 0;

    /// <summary>Whatever is cached stays: the start looks whether the devices are those of the cache.</summary>
    void IDrainable.OutdateClean()
    {
    }

    /// <summary>What was acknowledged so far shall be durable; a number for <see cref="Tickets"/>.</summary>
    internal long BeginFlush()
    {
        long ticket = Tickets.AskFlush();
        Queues.WakeFirst();
        return ticket;
    }
}

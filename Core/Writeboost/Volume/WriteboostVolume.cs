using Weir.Core.Caching;
using Weir.Core.Cleaning;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Queue;
using Weir.Core.Writeboost.Scrub;
using Weir.Core.Writeboost.Settings;

namespace Weir.Core.Writeboost.Volume;

/// <summary>
/// The engine <c>writeboost</c>: a log-structured write cache, rebuilt from dm-lc and dm-writeboost (seeds 000, 001,
/// 003). This class holds what the queue threads share; their work is in <see cref="WriteboostQueue"/>.
/// </summary>
public sealed unsafe partial class WriteboostVolume : IVolume
{
    internal OpenQueues OpenQueues { get; } = new();

    /// <inheritdoc/>
    public string Engine => "writeboost";

    /// <summary>Bytes that clients see of the first device.</summary>
    public long SizeBytes => First.ClientBytes;

    /// <inheritdoc/>
    public bool ReadOnly => Options.ReadOnly;

    /// <summary>Settings of this life.</summary>
    public WriteboostOptions Options { get; }

    /// <summary>The form of what lies on the cache device.</summary>
    public Layout Layout { get; }

    /// <summary>Where things are.</summary>
    public Geometry Geometry { get; }

    /// <summary>The state, and why.</summary>
    public VolumeHealth Health { get; }

    internal Device Cache { get; }

    internal SegmentLog Log { get; private set; }

    internal BlockIndex Index { get; }

    internal RangeMap Ranges { get; }

    internal VersionMap Versions { get; }

    internal StripedVersions Changes { get; }

    internal FlushLock FlushLock { get; }

    internal ScrubFigures Scrub { get; } = new();

    internal ReaderEpoch Readers { get; }

    internal WriteThrottle Throttle { get; } = new();

    internal QueueSet Queues { get; } = new(ReaderEpoch.MaxQueues);

    internal CounterTotals<QueueCounters> Counters { get; } = new(ReaderEpoch.MaxQueues);

    internal CleaningGovernor Governor { get; private set; } = null!;

    /// <inheritdoc/>
    public IVolumeQueue OpenQueue(int index, IoContext io)
    {
        WriteboostQueue queue = new(QueueParts, index, io);
        OpenQueues.Add(index, queue);
        io.RegisterSlab(Log.Ram.DataStart, Log.Ram.DataBytes);
        return queue;
    }

    /// <inheritdoc/>
    public void Dispose() => LifeSteps.Table.Undo(_life!);

    private void DisposeLog()
    {
        Log.Ram.Dispose();
        Log.Dispose();
    }

    private void DisposeStructures()
    {
        Table.Dispose();
        Index.Dispose();
        Ranges.Dispose();
        Changes.Dispose();
        Readers.Dispose();
        Fingerprints.Dispose();
        Evidence.Dispose();
    }
}

using System;
using Weir.Core.Devices;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Weir.Core.Writeboost.Volume;
using Weir.Tests.Simulation;

namespace Weir.Tests.Writeboost;

/// <summary>
/// A volume of 4 MiB behind a cache with segments of 128 KiB, on devices that count, and one queue of it. Nothing
/// happens by itself: no timer, no write-back.
/// </summary>
internal sealed class SmallVolume : IDisposable
{
    private readonly RamDevice _cacheMemory = new(8 << 20);
    private readonly SimRamStore _ram = new(new SimWorld(1, trace: false), outlivesProcess: true);

    /// <summary>Formats and opens it; <paramref name="set"/> changes options before.</summary>
    public SmallVolume(Action<WriteboostOptions>? set = null)
    {
        (Cache, Backing) = (new CountingDevice(_cacheMemory), new CountingDevice(BackingMemory));
        set?.Invoke(Options);
        WriteboostFormat.Format(Io, Cache, Layout.Native, 128 << 10, Guid.NewGuid);
        Volume = WriteboostVolume.Open(Io, Cache, [new BackingSpec(null, "disk", Backing)], _ram, Options);
        Driver = new QueueDriver(Volume);
    }

    /// <summary>Blocks that a segment has room for.</summary>
    public const int BlocksPerSegment = 31;

    public RamDevice BackingMemory { get; } = new(4 << 20);

    public CountingDevice Backing { get; }

    public CountingDevice Cache { get; }

    /// <summary>Of whoever opened the volume; the driver has its own.</summary>
    public RingContext Io { get; } = new();

    public WriteboostOptions Options { get; } = new() { RamSegments = 4, SyncIntervalUs = 0, AllowWriteback = false };

    public WriteboostVolume Volume { get; }

    public QueueDriver Driver { get; }

    public void Dispose()
    {
        Driver.Dispose();
        Volume.Dispose();
        _ram.Dispose();
        Io.Dispose();
        _cacheMemory.Dispose();
        BackingMemory.Dispose();
    }
}

using System;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.DmCache.Tools;
using Weir.Core.Io;

namespace Weir.Frontends.Compose;

/// <summary>What the offline tools of dmcache work on.</summary>
internal sealed class ToolDevices : IDisposable
{
    private readonly RingContext _io = new();
    private readonly Device? _metadata;

    /// <summary>Opens what the user has named, and finds where the metadata are.</summary>
    public ToolDevices(in ToolRun run, bool writes)
    {
        (string? metadata, string? cache) = (run.Spec.Devices.Metadata, run.Spec.Devices.Cache);
        try
        {
            if (metadata != null) _metadata = Opening.OpenDevice(metadata, !writes, run.Log);
            if (cache != null) Cache = Opening.OpenDevice(cache, !(writes && metadata == null), run.Log);
            Device = _metadata ?? Cache ?? throw new UserErrorException(
                "dmcache needs --metadata PATH, or --cache PATH where the metadata are at its head",
                Program.WrongUsage);
            Metadata = new MetadataDevice(_io, Device) { Progress = run.Progress };
            if (IsAtHead) MetadataProbe.LimitToRegion(Metadata);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The metadata.</summary>
    public MetadataDevice Metadata { get; } = null!;

    /// <summary>Where they are.</summary>
    public Device Device { get; } = null!;

    /// <summary>The cache device; null: it was not named.</summary>
    public Device? Cache { get; }

    /// <summary>They are at the head of the cache device.</summary>
    public bool IsAtHead => _metadata == null;

    /// <summary>Name of the device that they are on.</summary>
    public string Path => Device.Name;

    /// <summary>Bytes of the cache device that are for data; 0: not known.</summary>
    public long CacheBytes => Cache == null ? 0
        : Cache.SizeBytes - (IsAtHead ? Metadata.Blocks * MetadataProbe.BlockBytes : 0);

    /// <inheritdoc/>
    public void Dispose()
    {
        Metadata?.Dispose();
        _metadata?.Dispose();
        Cache?.Dispose();
        _io.Dispose();
    }
}

using Weir.Core.Io;
using Weir.Core.Writeboost.Backings;

namespace Weir.Core.Writeboost.Volume;

/// <summary>A backing device behind its cache, as clients see it.</summary>
internal sealed class CachedExport(WriteboostVolume volume, BackingDevice device) : IVolumeExport
{
    /// <inheritdoc/>
    public string Name => device.Name;

    /// <inheritdoc/>
    public ushort Device => (ushort)(device.Id - BackingTable.MinId);

    /// <inheritdoc/>
    public long SizeBytes => device.ClientBytes;

    /// <inheritdoc/>
    public bool ReadOnly => volume.ReadOnly;

    /// <summary>The log has entries for ranges.</summary>
    public bool CanDiscard => !ReadOnly && volume.Layout.HasRanges;

    /// <inheritdoc/>
    public bool CanFastZero => volume.Layout.HasRanges;
}

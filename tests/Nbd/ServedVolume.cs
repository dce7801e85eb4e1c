using System;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Passthrough;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Weir.Core.Writeboost.Volume;

namespace Weir.Tests.Nbd;

/// <summary>A volume of a real engine over devices in memory, and what lies below it.</summary>
internal sealed class ServedVolume : IDisposable
{
    private readonly Device _backing;
    private readonly RamDevice? _cache;

    public ServedVolume(
        string engine, long sizeBytes, long cacheBytes = 24 << 20, Device? backing = null, string layout = "native")
    {
        _backing = backing ?? new RamDevice(sizeBytes);
        if (engine == "passthrough")
        {
            Volume = new PassthroughVolume(_backing);
            return;
        }
        _cache = new RamDevice(cacheBytes);
        using RingContext io = new();
        Layout form = Layout.Find(layout);
        WriteboostFormat.Format(io, _cache, form, form.DefaultSegmentBytes, Guid.NewGuid);
        Volume = WriteboostVolume.Open(io, _cache, [new BackingSpec(Layout.OnlyDevice, "disk", _backing)],
            new PrivateMemory(), new WriteboostOptions { Layout = form });
    }

    public IVolume Volume { get; }

    public void Dispose()
    {
        Volume.Dispose();
        _cache?.Dispose();
        _backing.Dispose();
    }
}

using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Passthrough;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;

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
            new HeapMemory(), new WriteboostOptions { Layout = form });
    }

    public IVolume Volume { get; }

    public void Dispose()
    {
        Volume.Dispose();
        _cache?.Dispose();
        _backing.Dispose();
    }

    /// <summary>Stands for shared memory: acknowledgements need not wait for the log.</summary>
    private sealed class HeapMemory : IRamStore
    {
        private readonly Dictionary<string, Region> _regions = [];

        public string BootId { get; } = Guid.NewGuid().ToString();

        public bool OutlivesProcess => true;

        public IReadOnlyList<IRamRegion> Open(string name) =>
            _regions.TryGetValue(name, out var region) ? [region] : [];

        public IRamRegion Create(string name, long sizeBytes) => _regions[name] = new Region(sizeBytes);

        public void Delete(string name) => _regions.Remove(name);
    }

    private sealed unsafe class Region(long sizeBytes) : IRamRegion
    {
        private byte* _memory = Allocate(sizeBytes);

        public byte* Pointer => _memory;

        public long SizeBytes => sizeBytes;

        public void Dispose()
        {
            NativeMemory.AlignedFree(_memory);
            _memory = null;
        }

        private static byte* Allocate(long sizeBytes)
        {
            byte* memory = (byte*)NativeMemory.AlignedAlloc((nuint)sizeBytes, 4096);
            NativeMemory.Clear(memory, (nuint)sizeBytes);
            return memory;
        }
    }
}

using System;
using System.Collections.Generic;
using Weir.Core.Devices;
using Weir.Core.DmCache.Format;
using Weir.Core.DmCache.Settings;
using Weir.Core.DmCache.Tools;
using Weir.Core.DmCache.Volume;
using Weir.Core.Io;

namespace Weir.Tests.DmCache.Engine;

/// <summary>
/// A volume of few blocks of 64 KiB, on devices in memory that count and can be held, with metadata on a device of
/// their own or on the cache device, and one queue of it.
/// </summary>
internal sealed class SmallCache : IDisposable
{
    public const int BlockBytes = 64 << 10, Sector = 512;

    // There is room for them, and some blocks more.
    private const int HeadBytes = 8 << 20;

    private readonly RamDevice _cache;
    private readonly RamDevice _metadata;
    private readonly RamDevice _backing;
    private readonly bool _isAtHead;
    private RamDevice? _other;
    private RingContext _io;
    private bool _isOpen;

    /// <summary>
    /// <paramref name="places"/> blocks in front of <paramref name="homes"/> whole ones and
    /// <paramref name="restBytes"/> bytes. <paramref name="isAtHead"/>: the metadata are on the cache device.
    /// </summary>
    public SmallCache(
        int places = 8, int homes = 64, int restBytes = 0, Action<DmCacheOptions>? set = null,
        int metadataBytes = 1 << 20, int growsTimes = 1, int sectorBytes = Sector, bool isAtHead = false)
    {
        (long cacheBytes, long backingBytes) = ((long)places * BlockBytes, ((long)homes * BlockBytes) + restBytes);
        _isAtHead = isAtHead;
        if (isAtHead) cacheBytes += HeadBytes;
        _cache = new RamDevice(growsTimes * cacheBytes, sectorBytes);
        _metadata = new RamDevice(metadataBytes, sectorBytes);
        _backing = new RamDevice(growsTimes * backingBytes, sectorBytes);
        (CacheRoom, BackingRoom) = (new GrowingDevice(_cache, cacheBytes), new GrowingDevice(_backing, backingBytes));
        MetadataRoom = new GrowingDevice(_metadata, metadataBytes);
        (Cache, Metadata, Backing) =
            (new CountingDevice(CacheRoom), new CountingDevice(MetadataRoom), new CountingDevice(BackingRoom));
        Options = new DmCacheOptions
        {
            Policy = "lru", IdleUs = long.MaxValue / 4, HighWatermark = 100, ReservesSpace = true,
        };
        set?.Invoke(Options);
        _io = new RingContext();
        using (MetadataDevice made = new(_io, isAtHead ? _cache : _metadata))
            new CacheFormat(made, Options.MetadataVersion, BlockBytes).Run(CacheRoom.SizeBytes, isAtHead);
        (Volume, Driver) = Open();
    }

    public DmCacheOptions Options { get; }

    /// <summary>The cache device below <see cref="Cache"/>, of which there may be more.</summary>
    public GrowingDevice CacheRoom { get; }

    public GrowingDevice BackingRoom { get; }

    public GrowingDevice MetadataRoom { get; }

    public CountingDevice Cache { get; }

    public CountingDevice Metadata { get; }

    public CountingDevice Backing { get; private set; }

    public DmCacheVolume Volume { get; private set; }

    public QueueDriver Driver { get; private set; }

    public long this[string figure] => new StatusFigures(Volume)[figure];

    /// <summary>Writes a number into 4 KiB at the beginning of a block of the volume.</summary>
    public void Write(long home, long value, RequestFlags flags = RequestFlags.None)
    {
        Fill(value);
        Xunit.Assert.Equal(0, Driver.Do(RequestKind.Write, home * BlockBytes, 4096, flags));
    }

    /// <summary>The number there.</summary>
    public long Read(long home) => Driver.Read(home * BlockBytes >> 12);

    /// <summary>Makes blocks of the volume cached, clean.</summary>
    public void BringIn(long home)
    {
        Xunit.Assert.Equal(0, Driver.Do(RequestKind.Read, home * BlockBytes, 4096));
        long before = this["promotions"];
        Driver.Until(() => IsCached(home) || this["promotions"] > before, "a promotion");
        Driver.Until(() => IsCached(home), "its block");
    }

    public bool IsCached(long home) => Volume.Map.Find(home) >= 0;

    /// <summary>The process dies; whatever it has told a device is there.</summary>
    public void Kill()
    {
        Close();
        (Volume, Driver) = Open();
    }

    /// <summary>An orderly stop, and a new volume on what it leaves.</summary>
    public void Reopen() => Reopen(static () => { });

    /// <summary>The same; <paramref name="between"/>: what a tool does meanwhile.</summary>
    public void Reopen(Action between)
    {
        Driver.Stop();
        Close();
        between();
        (Volume, Driver) = Open();
    }

    /// <summary>Another backing device of the same size, blank, from the next start on; null: the first.</summary>
    public void GiveBacking(string? called)
    {
        if (called != null) _other ??= new RamDevice(_backing.SizeBytes);
        Backing = new CountingDevice(called == null ? _backing : _other!) { Called = called };
    }

    /// <summary>A start after one that was refused, or after a stop.</summary>
    public void Start()
    {
        Close();
        (Volume, Driver) = Open();
    }

    /// <summary>Somebody writes a block of the backing device without the cache, which is stopped.</summary>
    public unsafe void WriteBacking(long home, long value, int within = 0)
    {
        BlockingIo io = new(_io);
        Fill(value);
        io.Start(io.QueueOf(Backing), IoKind.Write, (home * BlockBytes) + within, Driver.Data, 4096);
        io.WaitOrFail("writing", Backing);
    }

    /// <summary>What repair says where something was damaged: clean blocks are to be compared.</summary>
    public void SayInDoubt()
    {
        using MetadataDevice device = new(_io, _metadata);
        using CacheMetadata metadata = new(cacheBlocks: 64);
        device.Run(metadata, metadata.TryOpen);
        metadata.Head.Mark = metadata.Head.Mark!.Value with { IsInDoubt = true };
        device.Commit(metadata);
    }

    /// <summary>What the metadata device holds at this moment.</summary>
    public unsafe MetadataImage MetadataNow() =>
        new(new ReadOnlySpan<byte>(_metadata.Start, (int)_metadata.SizeBytes).ToArray());

    /// <summary>Somebody changes what the metadata device holds; the cache is stopped.</summary>
    public unsafe void Meddle(Action<MetadataImage> change)
    {
        MetadataImage image = MetadataNow();
        change(image);
        image.Bytes.CopyTo(new Span<byte>(_metadata.Start, (int)_metadata.SizeBytes));
    }

    /// <summary>Gives an order to the volume, with its arguments, and turns until it has ended.</summary>
    public string Say(params string[] words)
    {
        List<VolumeCommand> all = DmCacheCommands.Of(Volume, DmCacheTunables.Of(Options));
        return VolumeCommand.Find(all, words[0]).Run(new Patient(Driver.Turn), words[1..]);
    }

    /// <summary>Whatever the cache device holds is this; the cache is stopped.</summary>
    public unsafe void OverwriteCache(byte value) =>
        new Span<byte>(_cache.Start, (int)CacheRoom.SizeBytes).Fill(value);

    public unsafe void Fill(long value) =>
        new Span<long>(Driver.Data, QueueDriver.DataBytes / sizeof(long)).Fill(value);

    public void Dispose()
    {
        Close();
        _io.Dispose();
        _cache.Dispose();
        _metadata.Dispose();
        _backing.Dispose();
        _other?.Dispose();
    }

    private (DmCacheVolume Volume, QueueDriver Driver) Open()
    {
        DmCacheVolume volume = DmCacheVolume.Open(
            _io, new KeptDevice(Cache), _isAtHead ? null : new KeptDevice(Metadata), new KeptDevice(Backing), Options);
        _isOpen = true;
        return (volume, new QueueDriver(volume, 0, _io));
    }

    private void Close()
    {
        if (!_isOpen) return;
        _isOpen = false;
        _io.Dispose();
        Volume.Dispose();
        Driver.Dispose();
        _io = new RingContext();
    }
}

using System;
using System.IO;
using Weir.Core.Devices;
using Weir.Core.Io;
using Xunit;

namespace Weir.Tests.Stress;

/// <summary>A formatted cache and backing devices that can be opened again and again, in memory or in files.</summary>
internal sealed unsafe class StressDevices : IDisposable
{
    private const long CacheGrowsBy = 3 * (128 << 10), CacheBytesAtMost = 8 << 20;
    private const int Count = 4;

    private readonly RamDevice[] _memory = [];
    private readonly TestFolder? _folder;
    private readonly GrowingDevice? _cache;
    private readonly long _cacheBytesAtFirst;
    private long _cacheBytes;

    public StressDevices(IStressEngine engine, bool onFiles)
    {
        _cacheBytesAtFirst = _cacheBytes = engine.CacheBytes;
        if (onFiles) _folder = new TestFolder();
        else _memory = new RamDevice[Count + 1];
        for (int i = 0; i <= Count; i++)
        {
            if (onFiles) _folder!.File($"{i}", i == Count ? _cacheBytes : SizeOf(i));
            else _memory[i] = new RamDevice(SizeOf(i));
        }
        if (!onFiles) _cache = new GrowingDevice(_memory[Count], _cacheBytes);
        if (!engine.HasCache) return;
        using RingContext io = new();
        using Device cache = OpenCache();
        engine.Format(io, cache);
    }

    public Device OpenCache() => _cache != null ? new KeptDevice(_cache) : Open(Count);

    /// <summary>The cache device is larger than at first.</summary>
    public bool HasGrown => _cacheBytes > _cacheBytesAtFirst;

    /// <summary>The cache device gains some segments, if it has not many already.</summary>
    public void GiveRoom()
    {
        if (_cacheBytes >= CacheBytesAtMost - CacheGrowsBy) return;
        _cacheBytes += CacheGrowsBy;
        if (_cache != null)
        {
            _cache.Room = _cacheBytes;
            return;
        }
        using FileStream file = new(
            _folder!.PathOf($"{Count}"), FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        file.SetLength(_cacheBytes);
    }

    public Device Open(int number) =>
        _folder != null ? FileOpener.Open(_folder.PathOf($"{number}")) : new KeptDevice(_memory[number]);

    /// <summary>What is wrong on a device that nobody else has open, or null.</summary>
    public string? Judge(int number, StressDisk disk)
    {
        using Device device = Open(number);
        using RingContext io = new();
        BlockingIo blocking = new(io);
        using Core.Base.AlignedMemory memory = new((int)StressDisk.Bytes);
        blocking.Start(device.OpenQueue(io), IoKind.Read, 0, memory.Pointer, (int)StressDisk.Bytes);
        Assert.Equal(0, blocking.Wait());
        return disk.Judge(memory.Pointer, 0, StressDisk.Sectors);
    }

    public void Dispose()
    {
        foreach (RamDevice device in _memory) device.Dispose();
        _folder?.Dispose();
    }

    // No two alike: memory is told apart by its size.
    private static long SizeOf(int i) => i == Count ? CacheBytesAtMost : StressDisk.Bytes + (i * 4096);
}

using System;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Format;
using Weir.Tests.EndToEnd;
using Weir.Tests.Writeboost;
using Xunit;

namespace Weir.Tests.Stress;

/// <summary>A formatted cache and backing devices that can be opened again and again, in memory or in files.</summary>
internal sealed unsafe class StressDevices : IDisposable
{
    private const long CacheBytes = 4 << 20;
    private const int Count = 4;

    private readonly RamDevice[] _memory = [];
    private readonly TestFolder? _folder;

    public StressDevices(bool onFiles)
    {
        if (onFiles) _folder = new TestFolder();
        else _memory = new RamDevice[Count + 1];
        for (int i = 0; i <= Count; i++)
        {
            if (onFiles) _folder!.File($"{i}", SizeOf(i));
            else _memory[i] = new RamDevice(SizeOf(i));
        }
        using RingContext io = new();
        using Device cache = OpenCache();
        WriteboostFormat.Format(io, cache, Layout.Native, 128 << 10, Guid.NewGuid);
    }

    public Device OpenCache() => Open(Count);

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
    private static long SizeOf(int i) => i == Count ? CacheBytes : StressDisk.Bytes + (i * 4096);
}

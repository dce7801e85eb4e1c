using System;
using System.IO;
using System.Text;
using Weir.Core.Devices;
using Weir.Core.DmCache.Settings;
using Weir.Core.DmCache.Volume;
using Weir.Core.Io;
using Weir.Tests.DmCache.Tools;
using Xunit;

namespace Weir.Tests.DmCache.Engine;

/// <summary>Places behind 2 TiB (D15): offsets in sectors that no 32 bits hold; and many of them (D7).</summary>
public sealed unsafe class LargeCacheTests
{
    private const long GiB = 1L << 30, Places = 2500, Place = 2400;

    private const string Xml = """
        <superblock block_size="2097152" nr_cache_blocks="2500" policy="lru" hint_width="4">
        <mappings>
        <mapping cache_block="2400" origin_block="3" dirty="true"/>
        <mapping cache_block="352" origin_block="1" dirty="true"/>
        </mappings>
        </superblock>
        """;

    [Fact]
    public void APlaceBehindTwoTebibytesIsItself()
    {
        using TestFolder folder = new();
        string cache = NewFile(folder, "cache", Places * GiB), backing = NewFile(folder, "backing", 5 * GiB);
        string metadata = folder.PathOf("metadata");
        File.WriteAllBytes(metadata, OfflineTools.Restore(Xml, 1024, 2).Bytes);
        Write(cache, Place * GiB, 24);
        // Where it would be if the sectors were counted in 32 bits.
        Write(cache, (Place - 2048) * GiB, 99);
        using RingContext io = new();
        DmCacheOptions options = new() { Policy = "lru", IdleUs = long.MaxValue / 4, HighWatermark = 100 };
        using DmCacheVolume volume = DmCacheVolume.Open(
            io, DeviceOpener.Open(cache), DeviceOpener.Open(metadata), DeviceOpener.Open(backing), options);
        using QueueDriver driver = new(volume, 0, io);
        Assert.Equal((24, 99), (Read(driver, 3 * GiB), Read(driver, 1 * GiB)));
        new Span<byte>(driver.Data, 4096).Fill(25);
        Assert.Equal(0, driver.Do(RequestKind.Write, (3 * GiB) + 4096, 4096));
        driver.Stop();
        io.Dispose();
        using FileStream file = File.OpenRead(cache);
        file.Position = (Place * GiB) + 4096;
        Assert.Equal(25, file.ReadByte());
        file.Position = ((Place - 2048) * GiB) + 4096;
        Assert.Equal(0, file.ReadByte());
    }

    /// <summary>What it has garbage for, it keeps for as long as it is served: the collector has no reason to come.
    /// </summary>
    [Fact]
    public void AStartHasNoGarbageForEachPlace()
    {
        const int few = 1 << 14, many = 1 << 16;
        // Whatever is made once.
        AllocatedAtStart(few);
        long growth = AllocatedAtStart(many) - AllocatedAtStart(few);
        // Some for each block of metadata, of which 509 places have four at most: mappings, marks and hints.
        Assert.True(growth < 2 * (many - few), $"{growth} bytes for {many - few} places more");
    }

    private static long AllocatedAtStart(int places)
    {
        // The same for all: locks are of the backing device's blocks.
        const long block = 64 << 10, backingBytes = 4 * GiB;
        using TestFolder folder = new();
        string cache = NewFile(folder, "cache", places * block), backing = NewFile(folder, "backing", backingBytes);
        string metadata = folder.PathOf("metadata");
        File.WriteAllBytes(metadata, OfflineTools.Restore(FullXml(places), 1024, 2).Bytes);
        using RingContext io = new();
        long before = GC.GetAllocatedBytesForCurrentThread();
        using DmCacheVolume volume = DmCacheVolume.Open(io, DeviceOpener.Open(cache), DeviceOpener.Open(metadata),
            DeviceOpener.Open(backing), new DmCacheOptions { Policy = "s3fifod" });
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        StatusFigures figures = new(volume);
        Assert.Equal(places, figures["cached_blocks"]);
        return allocated;
    }

    private static string FullXml(int places)
    {
        StringBuilder xml = new();
        xml.Append("<superblock block_size=\"128\" nr_cache_blocks=\"").Append(places)
            .Append("\" policy=\"s3fifod\" hint_width=\"4\">\n<mappings>\n");
        for (int place = 0; place < places; place++)
            xml.Append("<mapping cache_block=\"").Append(place).Append("\" origin_block=\"").Append(place)
                .Append("\" dirty=\"true\"/>\n");
        xml.Append("</mappings>\n<hints>\n");
        for (int place = 0; place < places; place++)
            xml.Append("<hint cache_block=\"").Append(place).Append("\" data=\"AAAAAA==\"/>\n");
        return xml.Append("</hints>\n</superblock>\n").ToString();
    }

    private static string NewFile(TestFolder folder, string name, long bytes)
    {
        string path = folder.PathOf(name);
        using FileStream file = File.Create(path);
        file.SetLength(bytes);
        return path;
    }

    private static void Write(string path, long offset, byte value)
    {
        using FileStream file = File.OpenWrite(path);
        file.Position = offset;
        file.WriteByte(value);
    }

    private static byte Read(QueueDriver driver, long offset)
    {
        Assert.Equal(0, driver.Do(RequestKind.Read, offset, 4096));
        return driver.Data[0];
    }
}

using System;
using System.Collections.Generic;
using System.IO;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Format;
using Weir.Tests.EndToEnd;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>Devices that have become larger.</summary>
public sealed unsafe class GrowthTests
{
    private const int SegmentBytes = 128 << 10;
    private const long Small = (1 << 20) + (8 * SegmentBytes), Large = Small + (5 * SegmentBytes);
    private readonly List<string> _log = [];

    /// <summary>The number of segments changes when the log holds nothing, and only then; nothing is lost.</summary>
    [Fact]
    public void AnEmptyCacheTakesTheRoomItHasGained()
    {
        using RamDevice backing = new(2 << 20), small = new(Small), large = new(Large);
        using (RingContext io = new()) WriteboostFormat.Format(io, small, Layout.Native, SegmentBytes, Guid.NewGuid);
        using (DirectClient client = new(small, backing, Options()))
        {
            for (int i = 0; i < 300; i++) client.Write(i * 4096L, Filled(i));
            client.Stop();
        }
        Copy(small, large);
        using (DirectClient client = new(large, backing, Options()))
        {
            Assert.Equal(8, client.Volume.Geometry.SegmentCount);
            Assert.Contains(_log, line => line.Contains("room for 5 segments more", StringComparison.Ordinal)
                && line.Contains("weir drain", StringComparison.Ordinal));
            client.DrainAll();
            client.Stop();
        }
        for (int life = 0; life < 3; life++)
        {
            // The first of these lives ends without a stop: the new number of segments is durable already.
            using DirectClient client = new(large, backing, Options());
            Assert.Equal(13, client.Volume.Geometry.SegmentCount);
            for (int i = 0; i < 300; i++) Assert.Equal(Filled(i + life), client.Read(i * 4096L, 4096));
            for (int i = 0; i < 300; i++) client.Write(i * 4096L, Filled(i + life + 1));
            client.Flush();
            if (life > 0) client.Stop();
        }
    }

    [Fact]
    public void ABackingFileThatHasGrownIsLargerWhenItIsAsked()
    {
        using TestFolder folder = new();
        string path = Path.Combine(folder.Path, "backing");
        File.WriteAllBytes(path, new byte[(1 << 20) + 512]);
        using RamDevice cache = new(Small);
        using FileDevice backing = FileDevice.Open(path);
        using (RingContext io = new()) WriteboostFormat.Format(io, cache, Layout.Native, SegmentBytes, Guid.NewGuid);
        using DirectClient client = new(cache, backing, Options());
        Tunable grow = Tunable.Find(WriteboostTunables.OrdersTo(client.Volume), "grow");
        Assert.EndsWith("unchanged\n", grow.Answer!(), StringComparison.Ordinal);
        client.Write(1 << 20, new byte[512]);
        using (FileStream file = new(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            file.SetLength(3 << 20);
        Assert.Equal($"disk {3 << 20} grown\n", grow.Answer());
        Assert.Equal(3 << 20, client.Volume.SizeBytes);
        client.Write((3 << 20) - 4096, Filled(7));
        client.Write((1 << 20) + 1024, new ReadOnlySpan<byte>(Filled(8))[..512]);
        client.DrainAll();
        client.Stop();
        byte[] content = File.ReadAllBytes(path);
        Assert.Equal(7, content[^1]);
        Assert.Equal((0, 8), (content[(1 << 20) + 1023], content[(1 << 20) + 1024]));
    }

    private static void Copy(RamDevice from, RamDevice to) =>
        new ReadOnlySpan<byte>(from.Start, (int)from.SizeBytes).CopyTo(new Span<byte>(to.Start, (int)to.SizeBytes));

    private static byte[] Filled(int value)
    {
        byte[] bytes = new byte[4096];
        Array.Fill(bytes, (byte)value);
        return bytes;
    }

    private WriteboostOptions Options() => new() { RamSegments = 3, Log = _log.Add };
}

using System;
using System.Collections.Generic;
using System.Linq;
using Weir.Core.Devices;
using Weir.Core.Io;
using Xunit;

namespace Weir.Tests.Devices;

/// <summary>Whatever is on a device is found before somebody formats it.</summary>
public sealed unsafe class ContentScanTests
{
    private const int Mib = 1 << 20;

    [Fact]
    public void OneByteAnywhereOnADeviceIsFound()
    {
        using RamDevice device = new(256 * Mib);
        using RingContext io = new();
        Assert.Equal(default, ContentProbe.DescribeMiddle(io, device, []));
        Random random = new(1);
        for (int i = 0; i < 10; i++)
        {
            long at = i == 0 ? device.SizeBytes - 1 : random.NextInt64(ContentProbe.HeadBytes, device.SizeBytes);
            device.Start[at] = 1;
            Assert.Equal($"unknown content (at byte {at})", ContentProbe.DescribeMiddle(io, device, []).Description);
            device.Start[at] = 0;
        }
    }

    [Fact]
    public void AMarkBehindOtherContentTellsWhoseItIs()
    {
        ContentMark mark = new("WEIRTEST"u8.ToArray(), 1 << 20, 8 << 20, "a damaged test");
        using RamDevice device = new(64 * Mib);
        using RingContext io = new();
        device.Start[20 * Mib] = 1;
        mark.Bytes.CopyTo(new Span<byte>(device.Start + (24 * Mib), 8));
        Assert.Equal(Content.Of(mark), ContentProbe.DescribeMiddle(io, device, [mark]));
        Assert.Equal(ContentKind.Unknown, ContentProbe.DescribeMiddle(io, device, []).Kind);
    }

    [Fact]
    public void HolesAreNotReadAndEachExtentIs()
    {
        using TemporaryFile file = new(900L << 30);
        using (System.IO.FileStream stream = System.IO.File.OpenWrite(file.Path))
            foreach (long at in (long[])[7, 500_000, 899_000])
            {
                stream.Position = at << 20;
                stream.Write(new byte[65536]);
            }
        using RingContext io = new();
        using FileDevice device = FileDevice.Open(file.Path);
        List<(long Offset, int Bytes)> pieces = [.. new ContentScan(io, device).Pieces()];
        Assert.Equal([7L << 20, 500_000L << 20, 899_000L << 20], pieces.ConvertAll(static piece => piece.Offset));
        Assert.All(pieces, static piece => Assert.True(piece.Bytes >= 65536));
    }

    /// <summary>The ends as a whole, and no gap between them that is larger than the even spread.</summary>
    [Theory]
    [InlineData(1L << 30)]
    [InlineData(3L << 30)]
    [InlineData((100L << 30) + 4096)]
    [InlineData(9L << 40)]
    public void ALargeDeviceIsLookedAtEvenly(long sizeBytes)
    {
        using Unread device = new(sizeBytes);
        using RingContext io = new();
        List<(long Offset, int Bytes)> pieces = [.. new ContentScan(io, device) { WholeBytes = 1L << 29 }.Pieces()];
        long end = ContentProbe.HeadBytes, most = Math.Max(2 * sizeBytes / ContentScan.Places, 2 * 4L << 20);
        foreach ((long offset, int bytes) in pieces)
        {
            Assert.True(offset >= end && offset - end <= most, $"{end} to {offset}");
            bool isAtAnEnd = offset < ContentScan.UsualEndBytes || offset > sizeBytes - ContentScan.UsualEndBytes;
            Assert.True(!isAtAnEnd || offset == end);
            end = offset + bytes;
        }
        Assert.Equal(sizeBytes, end);
        Assert.True(pieces.Sum(static piece => (long)piece.Bytes) < 1L << 29);
        Assert.True(pieces.Count > 1000);
    }

    private sealed class Unread(long sizeBytes) : Device
    {
        public override string Name => "unread";

        public override long SizeBytes => sizeBytes;

        public override int LogicalBlockBytes => 512;

        public override bool CanFlush => false;

        public override string Identity => "unread";

        public override DeviceQueue OpenQueue(IoContext io) => throw new NotSupportedException();

        public override void Dispose()
        {
        }
    }
}

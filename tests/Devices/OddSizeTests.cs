using System;
using System.IO;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Passthrough;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Weir.Core.Writeboost.Volume;
using Weir.Frontends.Nbd;
using Weir.Tests.Nbd;
using Xunit;

namespace Weir.Tests.Devices;

/// <summary>A backing file that ends inside a sector, to the last byte and not beyond.</summary>
public sealed class OddSizeTests : IDisposable
{
    private const int Size = (3 << 20) + 4096 + 777;
    private readonly Scratch _scratch = new();
    private readonly byte[] _model = Wire.Random(Size, 1);

    public OddSizeTests() => File.WriteAllBytes(_scratch["disk"], _model);

    public void Dispose() => _scratch.Dispose();

    private FileDevice Open() => FileDevice.Open(_scratch["disk"], anySize: true);

    private void Same() => Assert.True(File.ReadAllBytes(_scratch["disk"]).AsSpan().SequenceEqual(_model));

    [Fact]
    public void ACacheMustBeWholeSectors()
    {
        UserErrorException e = Assert.Throws<UserErrorException>(() => FileDevice.Open(_scratch["disk"]));
        Assert.Contains($"{Size} bytes are not a whole number of", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void PassthroughServesEveryByte()
    {
        using (FileDevice device = Open())
        using (PassthroughVolume volume = new(device, "disk"))
        using (NbdHost host = new([new Export("disk", "", volume, volume)], queues: 2))
            UseTheEnd(host);
        Same();
    }

    [Fact]
    public void WriteboostServesEveryByteAndWritesItBack()
    {
        using RamDevice cache = new(12 << 20);
        using (RingContext io = new())
            WriteboostFormat.Format(io, cache, Layout.Native, Layout.Native.DefaultSegmentBytes, Guid.NewGuid);
        using (RingContext io = new())
        using (WriteboostVolume volume = WriteboostVolume.Open(io, new KeptDevice(cache), [new(null, "disk", Open())],
            new PrivateMemoryStore(), new WriteboostOptions()))
        using (NbdHost host = new([new Export("disk", "", volume, volume.ExportOf("disk"))]))
            UseTheEnd(host);
        using (FileDevice device = Open())
        using (DirectClient client = new(cache, device, new WriteboostOptions()))
        {
            client.DrainAll();
            client.Stop();
        }
        Same();
    }

    /// <summary>Nothing of it is a whole block, and some not even a sector.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(511)]
    [InlineData(1000)]
    [InlineData(3584)]
    public void AFileBelowOneBlockIsServedToo(int size)
    {
        byte[] data = Wire.Random(size, 2);
        File.WriteAllBytes(_scratch["disk"], data);
        using RamDevice cache = new(12 << 20);
        using RingContext io = new();
        WriteboostFormat.Format(io, cache, Layout.Native, Layout.Native.DefaultSegmentBytes, Guid.NewGuid);
        using (WriteboostVolume volume = WriteboostVolume.Open(io, new KeptDevice(cache), [new(null, "disk", Open())],
            new PrivateMemoryStore(), new WriteboostOptions()))
        using (NbdHost host = new([new Export("disk", "", volume, volume.ExportOf("disk"))]))
        using (NbdClient client = host.Serve())
        {
            Assert.True(client.Read(0, size).AsSpan().SequenceEqual(data));
            data[^1] ^= 1;
            client.Write(size - 1, data[^1..], CommandFlags.Fua);
            Assert.True(client.Read(0, size).AsSpan().SequenceEqual(data));
        }
        using (FileDevice device = Open())
        using (DirectClient client = new(cache, device, new WriteboostOptions()))
        {
            client.DrainAll();
            client.Stop();
        }
        Assert.Equal(data, File.ReadAllBytes(_scratch["disk"]));
    }

    private void UseTheEnd(NbdHost host)
    {
        Assert.Equal($"{Size}\n", Tool.Run("nbdinfo", "--size", host.Uri));
        using NbdClient client = host.Serve();
        Assert.True(client.Read(0, Size).AsSpan().SequenceEqual(_model));
        Assert.Equal(NbdError.NoSpace, client.Ask(NbdCommand.Write, Size - 3, 4, 0, new byte[4]));
        Assert.Equal(NbdError.Invalid, client.Ask(NbdCommand.Read, Size - 3, 4));
        Write(client, Size - 1, 1);
        Write(client, Size - 300, 300);
        Write(client, Size - 10_000, 10_000);
        Write(client, Size - 265, 265);
        Write(client, 1, 5000);
        Assert.Equal(0, client.Ask(NbdCommand.WriteZeroes, Size - 20, 20));
        _model.AsSpan(Size - 20).Clear();
        Assert.Equal(0, client.Ask(NbdCommand.WriteZeroes, Size - 70_000, 60_001, CommandFlags.Fua));
        _model.AsSpan(Size - 70_000, 60_001).Clear();
        Assert.Equal(0, client.Ask(NbdCommand.Flush, 0, 0));
        Assert.True(client.Read(0, Size).AsSpan().SequenceEqual(_model));
    }

    private void Write(NbdClient client, int offset, int length)
    {
        byte[] data = Wire.Random(length, offset);
        client.Write(offset, data, CommandFlags.Fua);
        data.CopyTo(_model.AsSpan(offset));
        Assert.True(client.Read(offset, length).AsSpan().SequenceEqual(data));
    }
}

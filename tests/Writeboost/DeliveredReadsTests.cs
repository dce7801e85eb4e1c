using System;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>Reads that go from a device to the memory of whoever asked: those alone whose bytes nobody sees.</summary>
public sealed class DeliveredReadsTests : IDisposable
{
    private const int DiskBytes = 4 << 20;
    private const int Block = 4096;

    private readonly RamDevice _disk = new(DiskBytes);
    private readonly RamDevice _flash = new(32 << 20);
    private readonly AlignedMemory _asker = new(1 << 20);
    private readonly byte[] _model = new byte[DiskBytes];

    public DeliveredReadsTests()
    {
        new Random(3).NextBytes(_model);
        unsafe
        {
            _model.CopyTo(new Span<byte>(_disk.Start, DiskBytes));
        }
        using RingContext io = new();
        WriteboostFormat.Format(io, _flash, Layout.Native, 128 << 10, Guid.NewGuid);
    }

    public void Dispose()
    {
        _disk.Dispose();
        _flash.Dispose();
        _asker.Dispose();
    }

    [Fact]
    public void WholeBlocksOfTheDiskAreDelivered()
    {
        using DirectClient client = Open(new WriteboostOptions());
        Check(client, 0, 8 * Block, isDelivered: true);
        Check(client, 512, Block, isDelivered: false);
        Check(client, 0, 512, isDelivered: false);
    }

    [Fact]
    public void WhatTheLogHasIsLaidOverInMemory()
    {
        using DirectClient client = Open(new WriteboostOptions());
        Write(client, 4 * Block, Block);
        Check(client, 0, 16 * Block, isDelivered: false);
        Check(client, 4 * Block, Block, isDelivered: false);
        Write(client, (8 * Block) + 512, 512);
        Check(client, 8 * Block, Block, isDelivered: false);
        Assert.Equal(0, client.Run(RequestKind.WriteZeroes, 32 * Block, 2 * Block));
        Array.Clear(_model, 32 * Block, 2 * Block);
        Check(client, 31 * Block, 4 * Block, isDelivered: false);
        Check(client, 0, 4 * Block, isDelivered: true);
    }

    /// <summary>From the cache device, unless each block is compared with its checksum.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void TheCachesBlocksAreDeliveredUnlessTheyAreVerified(bool verify)
    {
        // By default they are.
        WriteboostOptions options = new() { VerifyReads = verify, AllowWriteback = false };
        using (DirectClient before = Open(options))
        {
            Write(before, 0, 8 * Block);
            before.Stop();
        }
        using DirectClient client = Open(options);
        Check(client, 0, 8 * Block, isDelivered: !verify);
        StatusFigures figures = new(client.Volume);
        Assert.Equal(verify ? 0 : 1, figures["reads_handed_on_unseen"]);
        Assert.Equal(verify ? 0 : 8, figures["blocks_read_unverified"]);
        Assert.StartsWith(verify ? "yes" : "no: verify_reads is 0", figures.TextOf("reads_verified"));
    }

    [Fact]
    public void WhatIsKeptInTheCacheIsSeen()
    {
        using DirectClient client = Open(new WriteboostOptions { ReadCacheThreshold = 64 });
        Check(client, 0, 4 * Block, isDelivered: false);
    }

    /// <summary>What a device refuses to put there comes through memory.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(int.MaxValue)]
    public void WhatFailsOnTheWayComesThroughMemory(int failures)
    {
        using DirectClient client = Open(new WriteboostOptions(), failures);
        Check(client, 0, 4 * Block, isDelivered: false);
        Check(client, 8 * Block, 4 * Block, isDelivered: failures == 1);
    }

    private DirectClient Open(WriteboostOptions options, int failures = 0) =>
        new(new RoundDevice(_flash, _asker, failures), new RoundDevice(_disk, _asker, failures), options)
        {
            ClientBuffer = 1,
        };

    private void Write(DirectClient client, int offset, int length)
    {
        Random.Shared.NextBytes(_model.AsSpan(offset, length));
        client.Write(offset, _model.AsSpan(offset, length));
    }

    private unsafe void Check(DirectClient client, int offset, int length, bool isDelivered)
    {
        new Span<byte>(_asker.Pointer, length).Fill(0xAB);
        byte[] seen = client.Read(offset, length);
        Assert.Equal(isDelivered, client.IsZeroCopied);
        ReadOnlySpan<byte> got = isDelivered ? new Span<byte>(_asker.Pointer, length) : seen;
        Assert.True(got.SequenceEqual(_model.AsSpan(offset, length)), $"{length} at {offset} differ");
    }

    // A device that reaches the asker's memory as a ring does, or fails to.
    private sealed unsafe class RoundDevice(Device inner, AlignedMemory asker, int failures) : WrappedDevice(inner)
    {
        private int _failuresLeft = failures;

        public override DeviceQueue OpenQueue(IoContext io) => new Queue(this, base.OpenQueue(io), io);

        private sealed class Queue(RoundDevice device, DeviceQueue inner, IoContext io) : DeviceQueue
        {
            private readonly AlignedMemory _asker = device.Asker;

            public override bool TakesClientBuffers => true;

            public override void Submit(IoOp* op)
            {
                if (op->ClientBuffer != 0 && device._failuresLeft-- > 0)
                {
                    io.Complete(op, -22);
                    return;
                }
                if (op->ClientBuffer != 0) op->Buffer = _asker.Pointer + (nint)op->Buffer;
                inner.Submit(op);
            }
        }

        private AlignedMemory Asker => asker;
    }
}

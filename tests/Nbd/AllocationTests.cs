using System;
using System.Collections.Generic;
using System.Threading;
using Weir.Core.Io;
using Weir.Frontends.Nbd;
using Xunit;

namespace Weir.Tests.Nbd;

/// <summary>The queue's thread allocates nothing once it is warm: no garbage, no collector, no pauses.</summary>
public sealed class AllocationTests
{
    private const int Size = 64 << 20;

    [Theory]
    [InlineData("test")]
    [InlineData("passthrough")]
    [InlineData("writeboost")]
    public void NothingIsAllocatedUnderLoad(string engine)
    {
        using TestVolume test = new(Size);
        using ServedVolume? served = engine == "test" ? null : new ServedVolume(engine, Size);
        MeasuredVolume volume = new(served?.Volume ?? test);
        using NbdHost host = new(volume);
        for (int round = 0; round < 60; round++) Load(host, round);
        long before = volume.AllocatedBytes;
        for (int round = 0; round < 20; round++) Load(host, round);
        Assert.True(before > 0);
        Assert.Equal(0, volume.AllocatedBytes - before);
    }

    /// <summary>Every command, short and long, valid and not, in one pipeline; two kinds of clients.</summary>
    private static void Load(NbdHost host, int round)
    {
        using NbdClient simple = host.Serve();
        for (int i = 0; i < 16; i++) simple.Write((round * 16 + i) % 1024 * 4096, new byte[4096]);
        simple.Write(512, new byte[(2 << 20) + 512], CommandFlags.Fua);
        for (int i = 0; i < 100; i++) simple.Request(NbdCommand.Read, (ulong)i, i * 8704, 4608);
        for (int i = 0; i < 100; i++) _ = simple.Receive(Protocol.SimpleReplyBytes + 4608);
        _ = simple.Read(0, 3 << 20);
        Assert.Equal(0, simple.Ask(NbdCommand.Flush, 0, 0));
        Assert.Equal(0, simple.Ask(NbdCommand.Trim, 1 << 20, 65536));
        Assert.Equal(0, simple.Ask(NbdCommand.WriteZeroes, 2 << 20, 65536, CommandFlags.NoHole));
        Assert.Equal(NbdError.Invalid, simple.Ask(NbdCommand.Read, Size, 512));
        Assert.Equal(NbdError.NoSpace, simple.Ask(NbdCommand.Write, Size, 4096, 0, new byte[4096]));
        using NbdClient structured = host.Serve(structured: true, status: true);
        Assert.Equal(0, structured.ReadStructured(512, 3 << 20).Error);
        structured.Request(NbdCommand.BlockStatus, 1, 0, Size);
        _ = structured.TakeChunk();
        simple.Dispose();
        structured.Dispose();
        // A new client then takes the place of an old one, whose memory is there already.
        host.UntilNobodyIsThere();
    }

    /// <summary>Passes everything on, and notes what its queue's thread has allocated.</summary>
    private sealed unsafe class MeasuredVolume(IVolume inner) : IVolume
    {
        private long _allocatedBytes;

        public long AllocatedBytes => Volatile.Read(ref _allocatedBytes);

        public string Engine => inner.Engine;

        public IReadOnlyList<IVolumeExport> Exports => inner.Exports;

        public bool ReadOnly => inner.ReadOnly;

        public IVolumeQueue OpenQueue(int index, IoContext io) => new Queue(this, inner.OpenQueue(index, io));

        public void Report(IStatusWriter status) => inner.Report(status);

        public void Dispose()
        {
        }

        private sealed class Queue(MeasuredVolume volume, IVolumeQueue inner) : IVolumeQueue
        {
            public long DeadlineUs => inner.DeadlineUs;

            public StopStatus StopStatus => inner.StopStatus;

            public IVolumeBackground? Background => inner.Background;

            public void Submit(Request* request) => inner.Submit(request);

            public Request* TakeCompleted() => inner.TakeCompleted();

            public void Poll(long nowUs)
            {
                inner.Poll(nowUs);
                Volatile.Write(ref volume._allocatedBytes, GC.GetAllocatedBytesForCurrentThread());
            }

            public int BlockStatus(
                int device, StatusContext context, long offsetBytes, long lengthBytes, Span<Extent> extents) =>
                inner.BlockStatus(device, context, offsetBytes, lengthBytes, extents);

            public void BeginStop() => inner.BeginStop();
        }
    }
}

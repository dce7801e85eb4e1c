using System;
using System.Collections.Generic;
using System.IO;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Native;
using Xunit;

namespace Weir.Tests.Devices;

/// <summary>A ring on the test's thread, a slab to do I/O with, and the results in order of completion.</summary>
internal sealed unsafe class DeviceClient : IIoHandler, IDisposable
{
    private readonly Slab _slab = new(8 << 20);

    public DeviceClient(TimeProvider? time = null)
        : this(new RingContext(time))
    {
    }

    public DeviceClient(RingContext io)
    {
        Io = io;
        Handler = Io.AddHandler(this);
    }

    public RingContext Io { get; }

    public ushort Handler { get; }

    public byte* Memory => _slab.Start;

    public long MemoryBytes => _slab.SizeBytes;

    /// <summary>The caller's number and result of each completion.</summary>
    public List<(int User, int Result)> Results { get; } = new(4096);

    /// <summary>Clock at each completion.</summary>
    public List<long> CompletedUs { get; } = new(4096);

    public int Outstanding { get; private set; }

    public IoOp* Op(IoKind kind, long offset, long length, byte* memory, int user = 0)
    {
        IoOp* op = Io.Acquire(Handler, kind);
        Assert.True(op != null, "the pool is empty");
        op->OffsetBytes = offset;
        op->LengthBytes = length;
        op->Buffer = memory;
        op->Own<int>() = user;
        Outstanding++;
        return op;
    }

    public void Completed(IoOp* op)
    {
        Results.Add((op->Own<int>(), op->Result));
        CompletedUs.Add(Io.NowUs);
        Io.Release(op);
        Outstanding--;
    }

    /// <summary>Turns the loop until nothing is outstanding; gives up loudly after a minute.</summary>
    public void Drain(int left = 0)
    {
        long giveUpUs = Io.NowUs + 60_000_000;
        while (Outstanding > left)
        {
            Io.Pump(true, giveUpUs);
            Io.RunCompletions();
            if (Io.NowUs >= giveUpUs) Assert.Fail($"{Outstanding} operations did not complete");
        }
    }

    /// <summary>One operation from start to end.</summary>
    public int Run(DeviceQueue queue, IoKind kind, long offset, long length, byte* memory = null)
    {
        queue.Submit(Op(kind, offset, length, memory == null ? Memory : memory));
        Drain();
        return Results[^1].Result;
    }

    public static void Fill(byte* memory, long length, int seed) =>
        new Random(seed).NextBytes(new Span<byte>(memory, (int)length));

    public static bool Same(byte* a, byte* b, long length) =>
        new ReadOnlySpan<byte>(a, (int)length).SequenceEqual(new ReadOnlySpan<byte>(b, (int)length));

    public static bool IsZero(byte* memory, long length) =>
        new ReadOnlySpan<byte>(memory, (int)length).IndexOfAnyExcept((byte)0) < 0;

    public void Dispose()
    {
        Io.Dispose();
        _slab.Dispose();
    }
}

/// <summary>A file that is gone after the test.</summary>
internal sealed class TemporaryFile : IDisposable
{
    public TemporaryFile(long sizeBytes, string? directory = null)
    {
        Path = System.IO.Path.Combine(directory ?? System.IO.Path.GetTempPath(), $"weir-test-{Guid.NewGuid():n}");
        using FileStream file = File.Create(Path);
        file.SetLength(sizeBytes);
    }

    public string Path { get; }

    /// <summary>
    /// What is in it; unlike File.ReadAllBytes it takes no lock, and so is not refused while a device is open.
    /// </summary>
    public unsafe byte[] Read()
    {
        int fd = Libc.Open(Path, Const.O_RDONLY | Const.O_CLOEXEC);
        byte[] content = new byte[Libc.Seek(fd, 0, Const.SEEK_END)];
        fixed (byte* p = content) Assert.Equal(content.Length, Libc.ReadAt(fd, p, content.Length, 0));
        Assert.Equal(0, Libc.Close(fd));
        return content;
    }

    public void Dispose() => File.Delete(Path);
}

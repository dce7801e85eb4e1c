using System;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Xunit;

namespace Weir.Tests.Harness;

/// <summary>
/// One queue of a volume, driven by the thread that made it: the one loop that tests turn by hand. Requests of one or
/// more blocks run to their end one at a time; what takes two minutes hangs.
/// </summary>
internal sealed unsafe class QueueDriver : IDisposable
{
    /// <summary>Bytes of <see cref="Data"/>.</summary>
    public const int DataBytes = 1 << 20;

    private const long PatienceUs = 120_000_000, SleepUs = 1000;

    private readonly bool _ownsIo;
    private bool _isStopping;
    private readonly AlignedMemory _memory = new(DataBytes);

    /// <summary>
    /// Opens queue <paramref name="index"/> on a ring of its own, or on <paramref name="io"/>, which is the caller's.
    /// </summary>
    public QueueDriver(IVolume volume, int index = 0, IoContext? io = null)
    {
        (Io, _ownsIo) = (io ?? new RingContext(), io == null);
        Queue = volume.OpenQueue(index, Io);
    }

    public IoContext Io { get; }

    public IVolumeQueue Queue { get; }

    /// <summary>Where reads arrive and writes come from.</summary>
    public byte* Data => _memory.Pointer;

    /// <summary>What requests say from now on.</summary>
    public ushort Device { get; set; }

    /// <summary>
    /// One turn of a queue's loop, in the order of the product's. Sleeps at most <paramref name="sleepUs"/>.
    /// </summary>
    public static void Turn(IoContext io, IVolumeQueue queue, long sleepUs = SleepUs)
    {
        bool sleeps = sleepUs > 0 && !io.HasCompletions;
        io.Pump(sleeps, sleeps ? Math.Min(queue.DeadlineUs, io.NowUs + sleepUs) : io.NowUs);
        io.RunCompletions();
        queue.Poll(io.NowUs);
    }

    /// <summary>One turn of this one.</summary>
    public void Turn() => Turn(Io, Queue);

    /// <summary>Fills whole blocks with a number and writes them; returns when that is acknowledged.</summary>
    public void Write(long block, long value, int blocks = 1)
    {
        new Span<long>(Data, blocks * 512).Fill(value);
        Assert.Equal(0, Do(RequestKind.Write, block << 12, blocks << 12));
    }

    /// <summary>The number that a block is full of.</summary>
    public long Read(long block)
    {
        Assert.Equal(0, Do(RequestKind.Read, block << 12, 4096));
        long value = *(long*)Data;
        int wrong = new ReadOnlySpan<long>(Data, 512).IndexOfAnyExcept(value);
        Assert.True(wrong < 0, $"block {block}: word {wrong} is not {value}");
        return value;
    }

    /// <summary>Runs one request to its end and returns its result.</summary>
    public int Do(RequestKind kind, long offsetBytes = 0, long lengthBytes = 0, RequestFlags flags = RequestFlags.None)
    {
        Request request = new()
        {
            Kind = kind, Flags = flags, OffsetBytes = offsetBytes, LengthBytes = lengthBytes, Device = Device,
            Data = Data + (offsetBytes & 4095),
        };
        return Do(&request);
    }

    /// <summary>Writes whole blocks whose bytes <paramref name="fetch"/> gives, in the midst of it.</summary>
    public int Fetched(long offsetBytes, int lengthBytes, delegate*<Request*, long, byte*, int, void> fetch)
    {
        Request request = new()
        {
            Kind = RequestKind.Write, OffsetBytes = offsetBytes, LengthBytes = lengthBytes, Data = Data, Fetch = fetch,
        };
        return Do(&request);
    }

    /// <summary>The same for a request of the caller's; no other is under way.</summary>
    public int Do(Request* request)
    {
        Queue.Submit(request);
        Request* done = TakeOne();
        if (done != request) Assert.Fail($"{request->Kind} of {request->LengthBytes} at {request->OffsetBytes} hangs");
        return request->Result;
    }

    /// <summary>The next request that ends; null: none does.</summary>
    public Request* TakeOne()
    {
        Request* done;
        for (long endUs = Io.NowUs + PatienceUs; (done = Queue.TakeCompleted()) == null && Io.NowUs < endUs;) Turn();
        return done;
    }

    /// <summary>Turns the loop for a while.</summary>
    public void Idle(long us)
    {
        for (long endUs = Io.NowUs + us; Io.NowUs < endUs;) Turn(Io, Queue, Math.Min(us, SleepUs));
    }

    /// <summary>Turns until <paramref name="condition"/> holds.</summary>
    public void Until(Func<bool> condition, string what = "that")
    {
        for (long endUs = Io.NowUs + PatienceUs; !condition() && Io.NowUs < endUs;) Turn();
        Assert.True(condition(), what + " never happens");
    }

    /// <summary>The orderly stop, begun once, and how it ends: well, or with a negative errno.</summary>
    public void Stop(int expectedError = 0)
    {
        if (!_isStopping) Queue.BeginStop();
        _isStopping = true;
        Until(() => Queue.StopStatus.IsOver, "the end of the stop");
        Assert.Equal(StopStatus.EndedWith(expectedError), Queue.StopStatus);
    }

    /// <summary>Its ring first: that waits for operations that use the memory.</summary>
    public void Dispose()
    {
        if (_ownsIo) Io.Dispose();
        _memory.Dispose();
    }
}

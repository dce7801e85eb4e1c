using System;
using System.Collections.Generic;
using System.Threading.Tasks;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Backings;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>
/// One volume on devices of the test's own, which outlive it, served on the test's thread: every call waits.
/// </summary>
internal sealed unsafe class DirectClient : IDisposable
{
    private const int HangMs = 60_000;
    private const long PatienceUs = 120_000_000;
    private readonly IoContext _io;
    private readonly AlignedMemory _memory = new(1 << 20);
    private readonly IVolumeQueue _queue;
    private int _begun;
    private int _ended;
    private bool _isDisposed;

    public DirectClient(
        Device cache, Device backing, WriteboostOptions options, IRamStore? ram = null, IoContext? io = null)
        : this(cache, [new BackingSpec(null, "disk", backing)], options, ram, io)
    {
    }

    public DirectClient(
        Device cache, IReadOnlyList<BackingSpec> backings, WriteboostOptions options, IRamStore? ram = null,
        IoContext? io = null)
    {
        _io = io ?? new RingContext();
        List<BackingSpec> kept = [];
        foreach (BackingSpec spec in backings) kept.Add(spec with { Device = new KeptDevice(spec.Device) });
        Volume = WriteboostVolume.Open(_io, new KeptDevice(cache), kept, ram ?? new PrivateMemoryStore(), options);
        _queue = Volume.OpenQueue(0, _io);
    }

    public WriteboostVolume Volume { get; }

    public IoContext Io => _io;

    /// <summary>How long its thread would sleep.</summary>
    public long DeadlineUs => _queue.DeadlineUs;

    /// <summary>What requests say from now on.</summary>
    public ushort Device { get; set; }

    /// <summary>The bytes of writes are elsewhere, and fetched by the engine.</summary>
    public bool FetchesWrites { get; set; }

    /// <summary>What reads say of the memory of whoever asked.</summary>
    public int RingBuffer { get; set; }

    /// <summary>The last request's bytes went there.</summary>
    public bool IsDelivered { get; private set; }

    /// <summary>How often the engine has fetched, in all.</summary>
    public static int Fetches { get; private set; }

    public void Write(long offsetBytes, ReadOnlySpan<byte> data)
    {
        data.CopyTo(new Span<byte>(_memory.Pointer, data.Length));
        Assert.Equal(0, Run(RequestKind.Write, offsetBytes, data.Length));
    }

    public byte[] Read(long offsetBytes, int lengthBytes)
    {
        int within = (int)(offsetBytes & 4095);
        Assert.Equal(0, Run(RequestKind.Read, offsetBytes, lengthBytes, within));
        return new Span<byte>(_memory.Pointer + within, lengthBytes).ToArray();
    }

    public void Flush() => Assert.Equal(0, Run(RequestKind.Flush, 0, 0));

    /// <summary>Submits a request whose bytes are not needed before <see cref="EndAll"/>; at most four.</summary>
    public void Begin(RequestKind kind, long offsetBytes, long lengthBytes, ReadOnlySpan<byte> data)
    {
        Request* request = &((Request*)(_memory.Pointer + (1 << 19)))[_begun];
        byte* bytes = _memory.Pointer + (1 << 19) + ((_begun++ + 1) * (1 << 16));
        data.CopyTo(new Span<byte>(bytes, data.Length));
        *request = new Request { Kind = kind, OffsetBytes = offsetBytes, LengthBytes = lengthBytes, Data = bytes,
            Device = Device };
        _queue.Submit(request);
    }

    /// <summary>Turns for a while; true when one of them has ended.</summary>
    public bool HasEnded(long us)
    {
        for (long endUs = _io.NowUs + us; _io.NowUs < endUs && _ended == 0;) Collect();
        return _ended > 0;
    }

    /// <summary>Requests have begun that have not ended.</summary>
    public bool IsWaiting => _ended < _begun;

    /// <summary>The stop has been asked for.</summary>
    public void Hurry() => _queue.Hurry(mayRefuse: true);

    /// <summary>The result of the one request that is under way.</summary>
    public int EndOne()
    {
        Request* done = null;
        for (long endUs = _io.NowUs + PatienceUs; done == null && _io.NowUs < endUs; done = _queue.TakeCompleted())
            Turn();
        Assert.True(done != null, "it never ends");
        _begun = _ended = 0;
        return done->Result;
    }

    public void Until(Func<bool> condition)
    {
        for (long endUs = _io.NowUs + PatienceUs; !condition() && _io.NowUs < endUs;) Turn();
        Assert.True(condition(), "that never happens");
    }

    public void EndAll()
    {
        for (long endUs = _io.NowUs + PatienceUs; _ended < _begun && _io.NowUs < endUs;) Collect();
        Assert.Equal(_begun, _ended);
        _begun = _ended = 0;
    }

    private void Collect()
    {
        Turn();
        for (Request* done; (done = _queue.TakeCompleted()) != null; _ended++) Assert.Equal(0, done->Result);
    }

    public int Run(
        RequestKind kind, long offsetBytes, long lengthBytes, int within = 0, RequestFlags flags = RequestFlags.None)
    {
        Request request = new()
        {
            Kind = kind, Flags = flags, OffsetBytes = offsetBytes, LengthBytes = lengthBytes,
            Data = _memory.Pointer + within,
            Device = Device, RingBuffer = kind == RequestKind.Read ? RingBuffer : 0,
        };
        if (kind == RequestKind.Write && FetchesWrites)
        {
            request.FrontendB = (long)request.Data;
            request.Data = _memory.Pointer + (1 << 19) + (offsetBytes & 4095);
            request.Fetch = &Fetch;
        }
        _queue.Submit(&request);
        long endUs = _io.NowUs + PatienceUs;
        Request* done;
        while ((done = _queue.TakeCompleted()) == null && _io.NowUs < endUs) Turn();
        Assert.True(done == &request, $"{kind} of {lengthBytes} at {offsetBytes} hangs");
        IsDelivered = request.IsDelivered;
        return request.Result;
    }

    private static void Fetch(Request* request, long offset, byte* target, int length)
    {
        Fetches++;
        Buffer.MemoryCopy((byte*)request->FrontendB + offset, target, length, length);
    }

    public void DrainAll()
    {
        Volume.Drain();
        long endUs = _io.NowUs + PatienceUs;
        while (!Volume.IsDrained && _io.NowUs < endUs) Turn();
        Assert.True(Volume.IsDrained, "the drain hangs");
    }

    public void Stop(int expected = 1)
    {
        _queue.BeginStop();
        long endUs = _io.NowUs + PatienceUs;
        while (_queue.StopResult == 0 && _io.NowUs < endUs) Turn();
        Assert.Equal(expected, _queue.StopResult);
    }

    public void Dispose()
    {
        // A start that fails leaves its test with the client from before, which it has disposed.
        if (_isDisposed) return;
        _isDisposed = true;
        // First: it waits for operations that use the memory.
        _io.Dispose();
        Volume.Dispose();
        _memory.Dispose();
    }

    /// <summary>What waits on a thread of its own while this one serves.</summary>
    public T Await<T>(Func<T> order)
    {
        Task<T> task = Task.Run(order);
        // Turns cost nothing: only time tells that the other thread hangs and is not merely off the processor.
        for (long end = Environment.TickCount64 + HangMs; !task.IsCompleted; Turn())
            Assert.True(Environment.TickCount64 < end, "the order hangs");
        return task.GetAwaiter().GetResult();
    }

    public void Turn()
    {
        _io.Pump(!_io.HasCompletions, Math.Min(_queue.DeadlineUs, _io.NowUs + 1000));
        _io.RunCompletions();
        _queue.Poll(_io.NowUs);
    }
}

using System;
using System.Collections.Generic;
using System.Threading.Tasks;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Volume;
using Xunit;

namespace Weir.Tests.Harness;

/// <summary>
/// One volume on devices of the test's own, which outlive it, served on the test's thread: every call waits.
/// </summary>
internal sealed unsafe class DirectClient : IDisposable
{
    private const int HangMs = 60_000;
    private const long PatienceUs = 120_000_000;
    private readonly QueueDriver _driver;
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
        io ??= new RingContext();
        List<BackingSpec> kept = [];
        foreach (BackingSpec spec in backings) kept.Add(spec with { Device = new KeptDevice(spec.Device) });
        Volume = WriteboostVolume.Open(io, new KeptDevice(cache), kept, ram ?? new PrivateMemoryStore(), options);
        _driver = new QueueDriver(Volume, 0, io);
    }

    public WriteboostVolume Volume { get; }

    public IoContext Io => _driver.Io;

    public BackgroundTasks Background => (BackgroundTasks)_driver.Queue.Background!;

    /// <summary>How long its thread would sleep.</summary>
    public long DeadlineUs => _driver.Queue.DeadlineUs;

    /// <summary>What requests say from now on.</summary>
    public ushort Device
    {
        get => _driver.Device;
        set => _driver.Device = value;
    }

    /// <summary>The bytes of writes are elsewhere, and fetched by the engine.</summary>
    public bool FetchesWrites { get; set; }

    /// <summary>What reads say of the memory of whoever asked.</summary>
    public int ClientBuffer { get; set; }

    /// <summary>The last request's bytes went there.</summary>
    public bool IsZeroCopied { get; private set; }

    /// <summary>How often the engine has fetched, in all.</summary>
    public static int Fetches { get; private set; }

    public void Write(long offsetBytes, ReadOnlySpan<byte> data)
    {
        data.CopyTo(new Span<byte>(_driver.Data, data.Length));
        Assert.Equal(0, Run(RequestKind.Write, offsetBytes, data.Length));
    }

    public byte[] Read(long offsetBytes, int lengthBytes)
    {
        int within = (int)(offsetBytes & 4095);
        Assert.Equal(0, Run(RequestKind.Read, offsetBytes, lengthBytes, within));
        return new Span<byte>(_driver.Data + within, lengthBytes).ToArray();
    }

    public void Flush() => Assert.Equal(0, Run(RequestKind.Flush, 0, 0));

    /// <summary>Submits a request whose bytes are not needed before <see cref="EndAll"/>; at most four.</summary>
    public void Begin(RequestKind kind, long offsetBytes, long lengthBytes, ReadOnlySpan<byte> data)
    {
        Request* request = &((Request*)(_driver.Data + (1 << 19)))[_begun];
        byte* bytes = _driver.Data + (1 << 19) + ((_begun++ + 1) * (1 << 16));
        data.CopyTo(new Span<byte>(bytes, data.Length));
        *request = new Request
        {
            Kind = kind, OffsetBytes = offsetBytes, LengthBytes = lengthBytes, Data = bytes,
            Device = Device
        };
        _driver.Queue.Submit(request);
    }

    /// <summary>Turns for a while; true when one of them has ended.</summary>
    public bool HasEnded(long us)
    {
        for (long endUs = Io.NowUs + us; Io.NowUs < endUs && _ended == 0;) Collect();
        return _ended > 0;
    }

    /// <summary>Requests have begun that have not ended.</summary>
    public bool IsWaiting => _ended < _begun;

    /// <summary>The stop has been asked for.</summary>
    public void Hurry() => _driver.Queue.Hurry(mayRefuse: true);

    /// <summary>The result of the one request that is under way.</summary>
    public int EndOne()
    {
        Request* done = _driver.TakeOne();
        Assert.True(done != null, "it never ends");
        _begun = _ended = 0;
        return done->Result;
    }

    public void Until(Func<bool> condition) => _driver.Until(condition);

    public void EndAll()
    {
        for (long endUs = Io.NowUs + PatienceUs; _ended < _begun && Io.NowUs < endUs;) Collect();
        Assert.Equal(_begun, _ended);
        _begun = _ended = 0;
    }

    private void Collect()
    {
        Turn();
        for (Request* done; (done = _driver.Queue.TakeCompleted()) != null; _ended++) Assert.Equal(0, done->Result);
    }

    public int Run(
        RequestKind kind, long offsetBytes, long lengthBytes, int within = 0, RequestFlags flags = RequestFlags.None)
    {
        Request request = new()
        {
            Kind = kind, Flags = flags, OffsetBytes = offsetBytes, LengthBytes = lengthBytes,
            Data = _driver.Data + within,
            Device = Device, ClientBuffer = kind == RequestKind.Read ? ClientBuffer : 0,
        };
        if (kind == RequestKind.Write && FetchesWrites)
        {
            request.FrontendB = (long)request.Data;
            request.Data = _driver.Data + (1 << 19) + (offsetBytes & 4095);
            request.Fetch = &Fetch;
        }
        int result = _driver.Do(&request);
        IsZeroCopied = request.IsZeroCopied;
        return result;
    }

    private static void Fetch(Request* request, long offset, byte* target, int length)
    {
        Fetches++;
        Buffer.MemoryCopy((byte*)request->FrontendB + offset, target, length, length);
    }

    public void DrainAll()
    {
        Volume.Drain();
        _driver.Until(() => Volume.IsDrained, "the end of the drain");
    }

    public void Stop(int expectedError = 0) => _driver.Stop(expectedError);

    public void Dispose()
    {
        // A start that fails leaves its test with the client from before, which it has disposed.
        if (_isDisposed) return;
        _isDisposed = true;
        // First: it waits for operations that use the memory.
        Io.Dispose();
        Volume.Dispose();
        _driver.Dispose();
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

    public void Turn() => _driver.Turn();
}

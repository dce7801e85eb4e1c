using System;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>One thread's queue of a volume on a real ring; one request of one or more blocks at a time.</summary>
public sealed unsafe class Door : IDisposable
{
    private const int Bytes = 1 << 20;
    private const long PatienceUs = 20_000_000;
    private readonly RingContext _io = new();
    private readonly IVolumeQueue _queue;
    private readonly AlignedMemory _memory = new(Bytes);

    /// <summary>Queue number <paramref name="index"/>, on the thread that calls.</summary>
    public Door(WriteboostVolume volume, int index) => _queue = volume.OpenQueue(index, _io);

    /// <summary>Where reads arrive and writes come from.</summary>
    public byte* Data => _memory.Pointer;

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
            Kind = kind, Flags = flags, OffsetBytes = offsetBytes, LengthBytes = lengthBytes,
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

    private int Do(Request* request)
    {
        _queue.Submit(request);
        Request* done;
        long endUs = _io.NowUs + PatienceUs;
        while ((done = _queue.TakeCompleted()) == null && _io.NowUs < endUs) Turn();
        Assert.True(done == request, $"{request->Kind} of {request->LengthBytes} at {request->OffsetBytes} hangs");
        return request->Result;
    }

    /// <summary>Turns the loop for a while.</summary>
    public void Idle(long us)
    {
        for (long end = _io.NowUs + us; _io.NowUs < end;) Turn();
    }

    /// <summary>Turns until <paramref name="condition"/> holds, at most ten seconds.</summary>
    public void Until(Func<bool> condition)
    {
        for (long end = _io.NowUs + 10_000_000; !condition() && _io.NowUs < end;) Turn();
        Assert.True(condition());
    }

    /// <summary>The orderly stop.</summary>
    public void Stop()
    {
        _queue.BeginStop();
        while (_queue.StopResult == 0) Turn();
        Assert.Equal(1, _queue.StopResult);
    }

    public void Dispose()
    {
        _io.Dispose();
        _memory.Dispose();
    }

    private void Turn()
    {
        _io.Pump(!_io.HasCompletions, Math.Min(_queue.DeadlineUs, _io.NowUs + 200));
        _io.RunCompletions();
        _queue.Poll(_io.NowUs);
    }
}

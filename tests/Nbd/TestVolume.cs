using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Tests.Nbd;

/// <summary>
/// A volume in memory that does what a test tells it: fails, holds requests back, answers in reverse, knows holes.
/// </summary>
internal sealed unsafe class TestVolume(long sizeBytes) : IVolume, IVolumeExport
{
    private readonly byte* _data = (byte*)NativeMemory.AllocZeroed((nuint)sizeBytes);
    private int _hold;
    private long _submitted;
    private long _polls;

    public string Engine => "test";

    public string Name => "disk";

    public ushort Device => 0;

    public IReadOnlyList<IVolumeExport> Exports => [this];

    public long SizeBytes => sizeBytes;

    public bool ReadOnly { get; init; }

    public bool CanDiscard { get; init; } = true;

    public bool CanFastZero { get; init; } = true;

    /// <summary>Answers of one poll come in reverse order of submission.</summary>
    public bool Reverse { get; init; }

    /// <summary>Requests that touch this byte fail with <see cref="FailResult"/>; -1 for none.</summary>
    public long FailOffset { get; set; } = -1;

    public int FailResult { get; set; } = -5;

    /// <summary>4 KiB blocks that were trimmed: holes for block status.</summary>
    public HashSet<long> Holes { get; } = [];

    /// <summary>Kinds and flags in order of submission, where a test wants them.</summary>
    public List<(RequestKind Kind, RequestFlags Flags, long Offset, long Length)>? Log { get; init; }

    /// <summary>Requests submitted so far.</summary>
    public long Submitted => Volatile.Read(ref _submitted);

    /// <summary>How often its queues were looked after.</summary>
    public long Polls => Volatile.Read(ref _polls);

    /// <summary>No request is answered while this is set.</summary>
    public bool Hold
    {
        get => Volatile.Read(ref _hold) != 0;
        set => Volatile.Write(ref _hold, value ? 1 : 0);
    }

    public Span<byte> Bytes(long offset, int length) => new(_data + offset, length);

    /// <summary>The queue of this number cannot be opened.</summary>
    public int BadQueue { get; init; } = -1;

    public IVolumeQueue OpenQueue(int index, IoContext io) =>
        index == BadQueue ? throw new InvalidOperationException("bad queue") : new Queue(this, io);

    public void Report(IStatusWriter status) => status.Number("submitted", Submitted);

    public void Dispose() => NativeMemory.Free(_data);

    private sealed class Queue(TestVolume volume, IoContext io) : IVolumeQueue
    {
        private Request* _head;
        private Request* _tail;
        private Request* _done;
        private Request* _doneTail;

        public long DeadlineUs => _head == null ? long.MaxValue : io.NowUs + 1000;

        public StopStatus StopStatus { get; private set; }

        public void Submit(Request* request)
        {
            request->Next = null;
            if (_head == null) _head = request;
            else _tail->Next = request;
            _tail = request;
            Interlocked.Increment(ref volume._submitted);
        }

        public Request* TakeCompleted()
        {
            Request* request = _done;
            if (request != null) _done = request->Next;
            return request;
        }

        public void Poll(long nowUs)
        {
            Interlocked.Increment(ref volume._polls);
            if (volume.Hold) return;
            while (_head != null)
            {
                Request* request = _head;
                _head = request->Next;
                request->Result = volume.Run(request);
                request->Next = volume.Reverse ? _done : null;
                if (_done == null || volume.Reverse) _done = request;
                else _doneTail->Next = request;
                _doneTail = request;
            }
        }

        public int BlockStatus(
            int device, StatusContext context, long offsetBytes, long lengthBytes, Span<Extent> extents)
        {
            int count = 0;
            long end = offsetBytes + lengthBytes;
            for (long at = offsetBytes; at < end;)
            {
                uint flags = volume.Holes.Contains(at / 4096) ? 3u : 0u;
                long next = Math.Min((at / 4096 + 1) * 4096, end);
                if (count > 0 && extents[count - 1].Flags == flags) extents[count - 1].LengthBytes += next - at;
                else if (count == extents.Length) return count;
                else extents[count++] = new Extent { LengthBytes = next - at, Flags = flags };
                at = next;
            }
            return count;
        }

        public void BeginStop() => StopStatus = StopStatus.Stopped;
    }

    private int Run(Request* request)
    {
        Log?.Add((request->Kind, request->Flags & ~RequestFlags.Counted, request->OffsetBytes, request->LengthBytes));
        if (FailOffset >= request->OffsetBytes && FailOffset < request->OffsetBytes + request->LengthBytes)
            return FailResult;
        byte* at = _data + request->OffsetBytes;
        long length = request->LengthBytes;
        // The buffer rule of Request: whole blocks around the data lie in whole pages.
        bool carriesData = request->Kind is RequestKind.Read or RequestKind.Write;
        Invariant.Check(!carriesData || ((long)request->Data - request->OffsetBytes) % 4096 == 0);
        if (request->Kind == RequestKind.Read) Buffer.MemoryCopy(at, request->Data, length, length);
        else if (request->Kind == RequestKind.Write) Buffer.MemoryCopy(request->Data, at, length, length);
        else NativeMemory.Clear(at, (nuint)length);
        Mark(request);
        return 0;
    }

    private void Mark(Request* request)
    {
        if (request->Kind is RequestKind.Read or RequestKind.Flush) return;
        bool hole = request->Kind == RequestKind.Discard;
        if (!hole && Holes.Count == 0) return;
        long end = request->OffsetBytes + request->LengthBytes;
        for (long block = request->OffsetBytes / 4096; block * 4096 < end; block++)
            _ = hole ? Holes.Add(block) : Holes.Remove(block);
    }
}

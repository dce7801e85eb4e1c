using System;
using System.Runtime.InteropServices;
using System.Text;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Frontends.Recording;
using Weir.Native;
using Weir.Native.Ublk;

namespace Weir.Frontends.Ublk;

/// <summary>
/// One hardware queue of one ublk device, on the thread that serves it. Each tag has a command waiting in the driver; a
/// request comes as that command's completion and goes back, answered, with the next command of the same tag.
/// </summary>
/// <remarks>
/// Where the bytes are (<see cref="UblkCopy"/>): with user copy in the driver's request, fetched by pread(2) straight
/// into the log and delivered by pwrite(2), or by the device below itself; else in the tag's buffer, which the driver
/// copies to and from. Requests have memory of their own from the thread's arena all the same: engines want it aligned
/// as the offset is. When there is none, what has come waits.
/// </remarks>
internal sealed unsafe class UblkHardwareQueue : ICommandHandler, IDisposable
{
    private readonly UblkDevice _device;
    private readonly RingContext _io;
    private readonly IVolumeQueue _volume;
    private readonly int _queue;
    private readonly int _index;
    private readonly int _handler;
    private readonly ublksrv_io_desc* _descriptors;
    private readonly Request* _requests;
    private readonly ushort* _arrived;
    private readonly Arena _arena;
    private readonly TraceTap _tap;
    private readonly byte[] _name;
    private readonly Slab? _driversBuffers;
    private int _arrivedCount;
    private int _ended;

    /// <summary>Opens hardware queue <paramref name="queue"/> of a device; commands go out with <see cref="Begin"/>.
    /// </summary>
    public UblkHardwareQueue(
        UblkDevice device, int queue, int index, RingContext io, IVolumeQueue volume, Arena arena, TraceTap tap)
    {
        (_device, _queue, _index, _io, _volume, _arena) = (device, queue, index, io, volume, arena);
        (_tap, _name) = (tap, Encoding.UTF8.GetBytes(device.Export.Part.Name));
        int depth = device.Depth;
        _descriptors = device.Descriptors(queue);
        _requests = (Request*)NativeMemory.AllocZeroed((nuint)depth, (nuint)sizeof(Request));
        _arrived = (ushort*)NativeMemory.AllocZeroed((nuint)depth, sizeof(ushort));
        // Touched as far as requests need it.
        if (device.Copy == UblkCopy.Buffer) _driversBuffers = new Slab((long)depth * UblkDevice.MaxRequestBytes);
        _handler = io.AddCommandHandler(this);
    }

    /// <summary>What it has done.</summary>
    public UblkCounters Counters { get; } = new();

    /// <summary>Requests have come.</summary>
    public bool HasWork => _arrivedCount > 0;

    /// <summary>They wait for memory.</summary>
    public bool IsStalled { get; private set; }

    /// <summary>
    /// The driver has taken every tag's command back: nothing will come any more, and nothing is on its way.
    /// </summary>
    public bool IsOver => _ended == _device.Depth;

    /// <summary>Waits for requests at every tag.</summary>
    public void Begin()
    {
        for (int tag = 0; tag < _device.Depth; tag++) Give(tag, UblkConst.UBLK_U_IO_FETCH_REQ, 0);
    }

    /// <inheritdoc/>
    public void CommandDone(int tag, int result)
    {
        if (result == UblkConst.UBLK_IO_RES_OK)
        {
            _arrived[_arrivedCount++] = (ushort)tag;
            return;
        }
        // The device stops: no command follows. Anything else would be our own mistake.
        Invariant.Check(result == UblkConst.UBLK_IO_RES_ABORT);
        _ended++;
    }

    /// <summary>Hands on what has come.</summary>
    public void Step()
    {
        int taken = 0;
        while (taken < _arrivedCount && TryTake(_arrived[taken])) taken++;
        _arrivedCount -= taken;
        IsStalled = _arrivedCount > 0;
        if (IsStalled && taken > 0)
            new Span<ushort>(_arrived + taken, _arrivedCount).CopyTo(new Span<ushort>(_arrived, _arrivedCount));
    }

    /// <summary>The engine has answered: the reply and the wait for the next request are one command.</summary>
    public void Complete(Request* request)
    {
        int tag = (int)(request - _requests);
        int result = request->Result;
        if (request->IsZeroCopied) Counters.Direct++;
        else if (result >= 0 && request->Kind == RequestKind.Read) result = Deliver(request, tag);
        if (result >= 0 && request->Kind is RequestKind.Read or RequestKind.Write) result = (int)request->LengthBytes;
        if (result < 0) Counters.Errors++;
        if (request->Data != null) _arena.Free((int)request->Cookie, PagesOf(request));
        request->Kind = RequestKind.None;
        Give(tag, UblkConst.UBLK_U_IO_COMMIT_AND_FETCH_REQ, result);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _io.RemoveCommandHandler(_handler);
        NativeMemory.Free(_requests);
        NativeMemory.Free(_arrived);
        _driversBuffers?.Dispose();
    }

    private byte* DriversBuffer(int tag) => _driversBuffers!.Start + ((long)tag * UblkDevice.MaxRequestBytes);

    private static int PagesOf(Request* request) => Arena.PagesAround(request->OffsetBytes, request->LengthBytes);

    private void Give(int tag, uint operation, int result)
    {
        ublksrv_io_cmd command = new() { q_id = (ushort)_queue, tag = (ushort)tag, result = result };
        if (_device.Copy == UblkCopy.Buffer) command.addr = (ulong)DriversBuffer(tag);
        ulong* words = (ulong*)&command;
        ulong address = _device.Copy == UblkCopy.Direct ? RegistrationOf(tag) : 0;
        _io.Command(_handler, tag, _device.Descriptor, _device.Encoded(operation), address, words[0], words[1]);
    }

    // Each tag's place among the ring's buffers; beyond the table's end the driver finds none, and says so.
    private int RingBuffer(int tag) => RingContext.DriverBuffersStart + (_index * _device.Depth) + tag;

    // struct ublk_auto_buf_reg, as the driver reads it from an address.
    private ulong RegistrationOf(int tag) =>
        (ushort)Math.Min(RingBuffer(tag), ushort.MaxValue) | (ulong)UblkConst.UBLK_AUTO_BUF_REG_FALLBACK << 16;

    private bool IsRegistered(ublksrv_io_desc* descriptor) => _device.Copy == UblkCopy.Direct
        && (descriptor->op_flags & UblkConst.UBLK_IO_F_NEED_REG_BUF) == 0;

    private bool TryTake(int tag)
    {
        ublksrv_io_desc* descriptor = &_descriptors[tag];
        Request* request = &_requests[tag];
        *request = default;
        request->FrontendInt = _index;
        request->Device = _device.Export.Part.Device;
        request->Kind = KindOf(descriptor->op_flags & 0xFF);
        request->Flags = FlagsOf(descriptor->op_flags);
        request->OffsetBytes = (long)descriptor->start_sector << UblkDevice.SectorShift;
        request->LengthBytes = (long)descriptor->nr_sectors << UblkDevice.SectorShift;
        if (request->Kind == RequestKind.Flush) request->OffsetBytes = request->LengthBytes = 0;
        if (request->Kind == RequestKind.Read && IsRegistered(descriptor)) request->ClientBuffer = 1 + RingBuffer(tag);
        int refused = Refuse(request);
        if (refused < 0)
        {
            Counters.Count(request);
            request->Result = refused;
            Complete(request);
            return true;
        }
        if (!TryPlace(request, tag)) return false;
        Counters.Count(request);
        _tap.Note(request->Kind, request->OffsetBytes, request->LengthBytes, _name);
        _volume.Submit(request);
        return true;
    }

    // What the block layer has been told to keep to; it does, but the engine must not depend on it.
    private int Refuse(Request* request)
    {
        if (request->Kind == RequestKind.None) return -Errno.EOPNOTSUPP;
        if (_device.Export.Volume.ReadOnly && request->Kind is not (RequestKind.Read or RequestKind.Flush))
            return -Errno.EPERM;
        bool carries = request->Kind is RequestKind.Read or RequestKind.Write;
        if (carries && request->LengthBytes is <= 0 or > UblkDevice.MaxRequestBytes) return -Errno.EINVAL;
        long size = _device.Export.Part.SizeBytes;
        return request->OffsetBytes <= size && request->LengthBytes <= size - request->OffsetBytes ? 0 : -Errno.EIO;
    }

    private bool TryPlace(Request* request, int tag)
    {
        if (request->Kind is not (RequestKind.Read or RequestKind.Write)) return true;
        int page = _arena.Allocate(PagesOf(request));
        if (page < 0) return false;
        request->Cookie = (ulong)page;
        request->Data = _arena.At(page) + Arena.SkewOf(request->OffsetBytes);
        if (request->Kind == RequestKind.Read) return true;
        request->FrontendA = _device.Descriptor;
        bool isBuffered = _device.Copy == UblkCopy.Buffer;
        request->FrontendB = isBuffered ? (long)DriversBuffer(tag) : PositionOf(tag);
        request->Fetch = isBuffered ? &FetchFromBuffer : &FetchFromDriver;
        return true;
    }

    private long PositionOf(int tag) => UblkConst.UBLKSRV_IO_BUF_OFFSET
        + ((long)_queue << UblkConst.UBLK_QID_OFF) + ((long)tag << UblkConst.UBLK_TAG_OFF);

    // A request that the driver holds for us has its bytes: a copy that fails means that we and it disagree.
    private static void FetchFromDriver(Request* request, long offset, byte* target, int length) => Invariant.Check(
        Libc.ReadAt((int)request->FrontendA, target, length, request->FrontendB + offset) == length);

    private static void FetchFromBuffer(Request* request, long offset, byte* target, int length) =>
        Buffer.MemoryCopy((byte*)request->FrontendB + offset, target, length, length);

    private int Deliver(Request* request, int tag)
    {
        long length = request->LengthBytes;
        if (_device.Copy == UblkCopy.Buffer)
        {
            Buffer.MemoryCopy(request->Data, DriversBuffer(tag), length, length);
            return 0;
        }
        long done = Libc.WriteAt(_device.Descriptor, request->Data, length, PositionOf(tag));
        Invariant.Check(done == length);
        return 0;
    }

    private static RequestKind KindOf(uint operation) => operation switch
    {
        UblkConst.UBLK_IO_OP_READ => RequestKind.Read,
        UblkConst.UBLK_IO_OP_WRITE => RequestKind.Write,
        UblkConst.UBLK_IO_OP_FLUSH => RequestKind.Flush,
        UblkConst.UBLK_IO_OP_DISCARD => RequestKind.Discard,
        UblkConst.UBLK_IO_OP_WRITE_ZEROES => RequestKind.WriteZeroes,
        _ => RequestKind.None,
    };

    private static RequestFlags FlagsOf(uint operation)
    {
        RequestFlags flags = (operation & UblkConst.UBLK_IO_F_FUA) != 0 ? RequestFlags.Fua : RequestFlags.None;
        return (operation & UblkConst.UBLK_IO_F_NOUNMAP) != 0 ? flags | RequestFlags.NoHole : flags;
    }
}

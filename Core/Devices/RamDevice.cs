using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Native;

namespace Weir.Core.Devices;

/// <summary>A device in this process's memory, as fast as copying; gone with the process.</summary>
public sealed unsafe class RamDevice : Device
{
    private readonly Slab _slab;

    /// <summary>
    /// Zeroed memory of <paramref name="sizeBytes"/>, a multiple of the logical block of 512 or 4096.
    /// </summary>
    public RamDevice(long sizeBytes, int logicalBlockBytes = 512)
    {
        if (logicalBlockBytes is not (512 or 4096)) throw new ArgumentOutOfRangeException(nameof(logicalBlockBytes));
        if (sizeBytes <= 0 || sizeBytes % logicalBlockBytes != 0)
            throw new UserErrorException($"ram:{sizeBytes}: not a whole number of {logicalBlockBytes}-byte blocks", 2);
        try
        {
            _slab = new Slab(sizeBytes);
        }
        catch (NativeException e)
        {
            throw new UserErrorException($"ram:{sizeBytes}: {e.Message}");
        }
        SizeBytes = sizeBytes;
        LogicalBlockBytes = logicalBlockBytes;
    }

    /// <inheritdoc/>
    public override string Name => $"ram:{SizeBytes}";

    /// <inheritdoc/>
    public override long SizeBytes { get; }

    /// <inheritdoc/>
    public override int LogicalBlockBytes { get; }

    /// <summary>A flush has nothing to do: what is written is as durable as it gets.</summary>
    public override bool CanFlush => true;

    /// <inheritdoc/>
    public override bool CanWriteDurably => true;

    /// <inheritdoc/>
    public override string Identity => Name;

    /// <summary>The device's memory.</summary>
    public byte* Start => _slab.Start;

    /// <inheritdoc/>
    public override DeviceQueue OpenQueue(IoContext io) => new Queue(io, this);

    /// <inheritdoc/>
    public override int Preallocate(long fromBytes, long endBytes) => _slab.Populate();

    /// <inheritdoc/>
    public override void Dispose() => _slab.Dispose();

    private sealed class Queue(IoContext io, RamDevice device) : DeviceQueue
    {
        public override void Submit(IoOp* op) => io.Complete(op, Perform(op));

        private int Perform(IoOp* op)
        {
            if (op->Kind == IoKind.Flush) return 0;
            CheckRange(op);
            byte* start = device.Start + op->OffsetBytes;
            switch (op->Kind)
            {
                case IoKind.Read: Copy(start, op->Buffer, op->LengthBytes); break;
                case IoKind.Write: Copy(op->Buffer, start, op->LengthBytes); break;
                default: return Clear(start, op->LengthBytes);
            }
            return checked((int)op->LengthBytes);
        }

        private void CheckRange(IoOp* op)
        {
            Invariant.Check(((op->OffsetBytes | op->LengthBytes) & (device.LogicalBlockBytes - 1)) == 0);
            Invariant.Check(op->OffsetBytes >= 0 && op->LengthBytes > 0);
            Invariant.Check(op->LengthBytes <= device.SizeBytes - op->OffsetBytes);
        }

        private static void Copy(void* from, void* to, long length) => Buffer.MemoryCopy(from, to, length, length);

        private static int Clear(byte* start, long length)
        {
            for (long done = 0; done < length; done += 1 << 30)
                new Span<byte>(start + done, (int)Math.Min(1 << 30, length - done)).Clear();
            return 0;
        }
    }
}

using System;
using System.Collections.Generic;
using System.Linq;
using Weir.Core.Devices;
using Weir.Core.Io;

namespace Weir.Tests.Harness;

/// <summary>
/// A device behind a volatile cache, as a system has it: what a flush that failed should have covered shows on, is
/// gone when the power goes, and no later flush tells of it. One thread.
/// </summary>
internal sealed unsafe class LossyDevice(RamDevice inner) : WrappedDevice(inner)
{
    private const int BlockBytes = 4096;

    private readonly byte[] _durable = new Span<byte>(inner.Start, checked((int)inner.SizeBytes)).ToArray();
    private readonly HashSet<long> _unflushed = [];

    /// <summary>How many flushes from now on fail.</summary>
    public int FlushesToFail { get; set; }

    /// <summary>So many flushes succeed before those.</summary>
    public int FlushesToPass { get; set; }

    /// <summary>A write that changes block 0 fails, and everything after it.</summary>
    public bool DiesAtNewRoot { get; set; }

    /// <summary>The flush of anything but block 0 fails, and everything after it.</summary>
    public bool DiesAtBlocks { get; set; }

    private bool IsDead { get; set; }

    /// <summary>
    /// Writes since the last flush are there: the device has written them by itself. Those that a failed flush has
    /// lost are gone; so is that of block 0 where it was to be flushed with others.
    /// </summary>
    public void CutPower()
    {
        if (DiesAtBlocks) _unflushed.Remove(0);
        Keep();
        (IsDead, DiesAtNewRoot, DiesAtBlocks) = (false, false, false);
        _durable.CopyTo(Shown);
    }

    public override DeviceQueue OpenQueue(IoContext io) => new Queue(this, io, inner.OpenQueue(io));

    private Span<byte> Shown => new(inner.Start, _durable.Length);

    private void Keep()
    {
        foreach (long block in _unflushed)
        {
            int at = (int)(block * BlockBytes), count = Math.Min(BlockBytes, _durable.Length - at);
            Shown.Slice(at, count).CopyTo(_durable.AsSpan(at));
        }
        _unflushed.Clear();
    }

    private bool TryFlush()
    {
        IsDead |= DiesAtBlocks && _unflushed.Any(static block => block != 0);
        if (IsDead) return false;
        bool fails = FlushesToFail > 0 && FlushesToPass-- <= 0;
        if (fails) FlushesToFail--;
        else Keep();
        _unflushed.Clear();
        return !fails;
    }

    private bool TryChange(IoOp* op)
    {
        bool isRoot = op->Kind == IoKind.Write && op->OffsetBytes == 0;
        IsDead |= DiesAtNewRoot && isRoot && !Shown[..BlockBytes].SequenceEqual(new(op->Buffer, BlockBytes));
        if (IsDead) return false;
        long end = op->OffsetBytes + op->LengthBytes;
        for (long block = op->OffsetBytes / BlockBytes; block * BlockBytes < end; block++) _unflushed.Add(block);
        return true;
    }

    private sealed class Queue(LossyDevice device, IoContext io, DeviceQueue inner) : DeviceQueue
    {
        public override void Submit(IoOp* op)
        {
            bool isWell = op->Kind switch
            {
                IoKind.Read => true,
                IoKind.Flush => device.TryFlush(),
                _ => device.TryChange(op),
            };
            if (isWell) inner.Submit(op);
            else io.Complete(op, -5);
        }
    }
}

using System;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Queue;

/// <content>
/// The read cache: what was read from the backing device is logged as clean blocks, when there is room that no writer
/// needs, if nothing has changed there since the read began (R10). Long reads and sequential streams pass by.
/// </content>
internal sealed unsafe partial class WriteboostQueue
{
    private readonly SequentialDetector _readStreams = new();

    // A read of the threshold's length still counts as short.
    private bool IsToBeStaged(Request* request)
    {
        long threshold = _options.ReadCacheThreshold * (long)Geometry.BlockBytes;
        long stream = _readStreams.Note(PlaceOf(request), request->LengthBytes);
        if (stream <= threshold) return !_options.ReadOnly && _health.State == VolumeState.Healthy;
        if (threshold != 0) _counters.Add(QueueCounters.SequentialReadBytes, request->LengthBytes);
        return false;
    }

    private static ulong PlaceOf(Request* request) =>
        (KeyOf(request, 0) << Geometry.BlockShift) + (ulong)request->OffsetBytes;

    // The read has ended, the request has not been answered: its bytes are what the backing device held.
    private void Stage(IoOp* op)
    {
        StagedRead read = new(this)
        {
            Key = KeyOf(op->Request, op->OffsetBytes),
            Sampled = op->Own<ReadOp>().Blocks,
            Sample = op->Own<ReadOp>().Sample,
            Source = (byte*)op->Buffer,
        };
        int blocks = (int)(op->LengthBytes >> Geometry.BlockShift);
        while (read.Done < blocks && !_throttle.IsPacing
            && _changes.IsUnchanged(read.Key, read.Sampled, read.Sample)
            && _appender.TryReserveSpare(Math.Min(blocks - read.Done, SegmentCursor.MaxTake), out Reservation taken))
        {
            Interleaving.Step();
            _appender.Fill(taken, ref read);
        }
        Invariant.Check(read.Done <= blocks);
        Invariant.Check(read.Entered <= read.Done);
        _counters.Add(QueueCounters.Staged, read.Entered);
        _counters.Add(QueueCounters.NotStaged, blocks - read.Entered);
        if (read.Done > 0) _queues.NoteChange(_index);
    }

    // Fills slots with the blocks of one read.
    private struct StagedRead(WriteboostQueue queue) : ISlotFiller
    {
        public ulong Key;
        public int Sampled;
        public long Sample;
        public byte* Source;
        public int Done;
        public int Entered;

        // No stamp: this memory only serves a start after a crash, and that has no use for clean blocks.
        public void Fill(in LogSlot slot)
        {
            byte* source = Source + ((long)Done << Geometry.BlockShift);
            uint checksum = BlockSum.CopyAndCompute(queue._appender.Data(slot), source);
            uint physical = queue._geometry.PhysicalSlot(slot.Position);
            ulong key = Key + (ulong)Done++;
            Interleaving.Step();
            bool enters = queue._blocks.TryInsertClean(key, physical, checksum, queue._changes, Key, Sampled, Sample);
            queue._appender.Describe(slot, enters ? LogEntry.ForClean(key, checksum) : default);
            if (enters) Entered++;
        }
    }
}

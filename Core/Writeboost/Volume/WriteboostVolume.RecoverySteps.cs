using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Recovery;
using Weir.Core.Writeboost.Settings;

namespace Weir.Core.Writeboost.Volume;

/// <content>Recovery, as a table of steps.</content>
public sealed unsafe partial class WriteboostVolume
{
    /// <summary>
    /// One recovery: what its steps have found so far. Synchronous, on the thread that opens the volume. Can be cut at
    /// any point and started again.
    /// </summary>
    internal sealed class RecoverySteps : IDisposable
    {
        private const StepKind Reads = StepKind.Reads, Writes = StepKind.Writes;

        /// <summary>All of them.</summary>
        public static StartSteps<RecoverySteps> Table { get; } = new(
            new("read the notes about the devices", Reads, static r => r._volume.Evidence.Read(r._io, r._queue)),
            new("find the end of the log", Reads, static r => r.FindEnd()),
            new("check that nothing durable is missing", Reads, static r => r.CheckNothingLost()),
            new("find what the last life left in memory", Reads, static r => r.FindMemory()),
            new("check the devices against the log", Reads, static r => r.CheckDevices()),
            new("read what memory has and the log has not", Reads, static r => r.ReadMemory()),
            new("check the devices against memory", Reads, static r => r.CheckDevices()),
            new("note which devices these are", Reads, static r => r.KeepKnown()),
            new("find what is written back and serves reads", Reads, static r => r.FindWarm()),
            new("decide what counts", Reads, static r => r.Decide()),
            new("sample the devices", Reads, static r => r.TakeSamples()),
            new("reserve the space of the cache device", Writes, static r => r.Reserve(),
                Undo: static r => r._space.GiveBack()),
            new("write what memory has and the log has not", Writes, static r => r.WriteMemory()),
            new("write again what no flush has covered", Writes, static r => r._scan.RewriteUnproven(r._unproven)),
            new("erase what looks like a later log", Writes, static r => r._scan.EraseStaleTail(r._end.Position)),
            new("write the notes about the devices", Writes, static r => r.WriteNotes()),
            new("flush all devices", Writes, static r => r._volume.FlushDevices(r._io, r._queue)),
            new("make the memory of this life", Writes, static r => r._volume.Memory.Make(r._volume.MostRamSegments),
                Undo: static r => r._volume.Memory.Dispose()),
            new("begin the epoch that makes clean blocks void", Writes, static r => r.BeginEpoch(voidsClean: true)),
            new("write the samples of the devices", Writes, static r => r.WriteSamples()),
            new("write the device table", Writes, static r => r.WriteDeviceTable()),
            new("begin the epoch", Writes, static r => r.BeginEpoch(voidsClean: false)));

        private readonly WriteboostVolume _volume;
        private readonly BlockingIo _io;
        private readonly DeviceQueue _queue;
        private readonly ContentEvidence _evidence;
        private readonly (bool Superblock, bool Devices, bool Samples) _copyBFirst;
        private readonly Replay _replay;
        private readonly SpaceReservation _space = new();
        private readonly ILogScan _scan;
        private RamSegments? _memory;
        private SharedMemoryReplay? _finish;
        private LogEnd _end;
        private long _unproven;
        private long _warmBlocks;
        private bool _voidsClean;
        private long _keptEnd;
        private bool _wasAbsent;
        private string _before = "";

        /// <summary>
        /// Of <paramref name="volume"/>, with <paramref name="io"/> and <paramref name="queue"/> to its cache device.
        /// The copies that may be lost come first: B if <paramref name="copyBFirst"/> says so.
        /// </summary>
        public RecoverySteps(
            WriteboostVolume volume, BlockingIo io, DeviceQueue queue, ContentEvidence evidence,
            (bool Superblock, bool Devices, bool Samples) copyBFirst)
        {
            (_volume, _io, _queue, _evidence, _copyBFirst) = (volume, io, queue, evidence, copyBFirst);
            _replay = volume.NewReplay();
            _scan = LogScans.New(volume.Layout, volume.Superblock, volume.Geometry, io, queue, volume.Cache, _replay,
                volume.Options.VerifyReads, volume.Options.Progress);
        }

        private ref Superblock Superblock => ref _volume.Superblock;

        private string CacheName => _volume.Cache.Name;

        /// <summary>All steps; then the log can go on.</summary>
        public void Run()
        {
            WriteboostOptions options = _volume.Options;
            bool mayWrite = !options.ReadOnly || Mutant.Is(WriteboostMutant.R16ReadOnlyWrites);
            Table.Run(this, mayWrite, options.StepBegins);
            _volume.Serve(_volume.StartLog(_end), _keptEnd, _wasAbsent);
            options.Log($"recovered {_replay.EntryCount} entries of {_end.LastSegment - _end.TailSegment + 1} segments"
                + (_warmBlocks > 0
                    ? $", {_warmBlocks} written-back blocks of {_end.TailSegment - _end.OldestSegment} more" : "")
                + (_volume.Layout.HasEpochs ? $"{_before}{Superblock.Epoch}" : ""));
        }

        /// <inheritdoc/>
        public void Dispose()
        {
            _finish?.Dispose();
            _memory?.Dispose();
            _scan.Dispose();
        }

        private void Reserve()
        {
            if (_volume.Options.ReservesSpace) _space.Take(_volume.Cache);
        }

        private void FindEnd()
        {
            _scan.Known = _volume.Evidence.Known;
            _scan.Run();
            _end = new LogEnd
            {
                Position = _scan.EndPosition,
                NextSequence = _scan.NextSequence,
                PreviousChecksum = _scan.PreviousChecksum,
                HeaderChecksum = _scan.EndHeaderChecksum,
            };
        }

        private void CheckNothingLost()
        {
            _scan.ProveDurable(_volume.Fingerprints.Table);
            _scan.CheckEnd();
            if (_scan.HeadersBehindEnd is not (> 0 and int behind)) return;
            _volume.Options.Log($"{CacheName}: segment {_scan.EndSegment + 1} is torn or rotten and ends the log; "
                + $"{behind} segments with later ids are given up");
        }

        // Only memory of the log's own last life counts (R1): an epoch tells, or the header that the log ends with.
        private void FindMemory()
        {
            _memory = RamSegments.Find(_volume.Memory.Store, _volume.Memory.Name, Superblock, _volume.Options.Log);
            if (_memory == null) _volume.Memory.WarnOfMissing();
            if (_memory == null) return;
            _scan.CheckEnd(_memory);
            if (_scan.IsLastLifes(_memory)) return;
            _volume.Options.Log($"{CacheName}: somebody else has written to this cache since its last run: what memory "
                + "still held is not used");
            LeaveMemory();
        }

        private void LeaveMemory()
        {
            _memory?.Dispose();
            _memory = null;
        }

        private void KeepKnown() => _volume.Evidence.Keep(_volume.Geometry.SegmentOf(_end.Position));

        private void CheckDevices() => _volume.CheckDevices(_replay, _io, _evidence);

        private void ReadMemory()
        {
            if (_memory == null) return;
            _unproven = _memory.DurablePosition;
            if (!SharedMemoryReplay.HasWork(_memory, _volume.Geometry, _end.Position)) return;
            if (_volume.ReadOnly)
                throw new UserErrorException(
                    $"{CacheName}: its last run died and left data in memory: start once without --read-only");
            _finish = new SharedMemoryReplay(
                _volume.Layout, Superblock, _volume.Geometry, _memory, _io, _queue, _volume.Cache, _replay);
            _finish.Read(_scan);
            _end.Position = _finish.EndPosition;
            _end.NextSequence = _finish.NextSequence;
            _end.PreviousChecksum = _finish.PreviousChecksum;
            _end.HeaderChecksum = _finish.HeaderChecksum;
        }

        private void FindWarm() =>
            _end.OldestSegment = _volume.Warm(_io, _queue, _replay, _scan.TailSegment, out _warmBlocks);

        private void Decide()
        {
            _before = Superblock.IsClean ? " after an orderly stop, epoch "
                : Superblock.Epoch == 0 ? " after format, epoch " : " after a crash, epoch ";
            _voidsClean = Superblock.IsClean && _volume.CleanPositionAtStart() == long.MaxValue;
            _volume.MoveTail(_scan.TailSegment);
            _volume.SettleFirstPositions(_end.Position);
            Superblock.Settle(_end.Position, _end.NextSequence, _end.PreviousChecksum);
            // What this life logs is behind it, also where a repair has cut the log; another device has nothing yet.
            long kept = _volume.Options.Rebind ? 0 : Math.Min(Superblock.KeptPosition, _end.Position);
            // Forgotten with the epoch, before a range is zeroed again, or absent devices make the next batch small.
            bool isAbsentAny = _volume.Backings.Absent.Length > 0;
            Superblock.KeptPosition = _replay.KeptLiesOverRange || isAbsentAny ? 0 : kept;
            (_keptEnd, _wasAbsent) = (kept, isAbsentAny);
            _end.TailSegment = _volume.Geometry.SegmentOf(Superblock.MarkPosition);
            _end.LastSegment = _end.Position > Superblock.MarkPosition
                ? _volume.Geometry.SegmentOf(_end.Position - 1) : _end.TailSegment - 1;
            Invariant.Check(_end.Position >= Superblock.MarkPosition);
            Invariant.Check(_end.NextSequence >= Superblock.MarkSequence);
            Invariant.Check(_end.OldestSegment <= _end.TailSegment);
            Invariant.Check(_end.LastSegment >= _end.TailSegment - 1);
            Invariant.Check(_end.LastSegment - _end.OldestSegment < _volume.Geometry.SegmentCount);
        }

        private void TakeSamples()
        {
            if (!_volume.ReadOnly) _volume.Identity.TakeSamples(_evidence);
        }

        private void WriteMemory()
        {
            _finish?.Write();
            LeaveMemory();
        }

        private void WriteNotes()
        {
            if (_volume.Evidence.Notes is { } notes) _volume.WriteNotes(notes, _io, _queue);
        }

        // A cache that has been served has a table: that comes before the epoch. But not where it makes the reason go
        // by which clean blocks count no more (R10): then the superblock says so first.
        private void BeginEpoch(bool voidsClean)
        {
            if (voidsClean == _voidsClean) _volume.BeginEpoch(_io, _queue, _copyBFirst.Superblock);
        }

        private void WriteSamples() => _volume.WriteSamples(
            _io, _queue, Superblock.Epoch + (_voidsClean ? 0 : 1), _copyBFirst.Samples);

        private void WriteDeviceTable()
        {
            if (_volume.DeviceTable != null) _volume.WriteDeviceTable(_io, _queue, _copyBFirst.Devices);
        }
    }
}

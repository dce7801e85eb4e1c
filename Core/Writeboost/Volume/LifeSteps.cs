using System;
using System.Collections.Generic;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Recovery;
using Weir.Core.Writeboost.Settings;

namespace Weir.Core.Writeboost.Volume;

public sealed unsafe partial class WriteboostVolume
{
    /// <summary>
    /// The life of a volume as a table: how it begins, and what each step gives back when a later one fails, or when
    /// the life is over. Synchronous, on the thread that opens the volume.
    /// </summary>
    internal sealed class LifeSteps(
        IoContext io, Device cache, IReadOnlyList<BackingSpec> specs, IRamStore ram, WriteboostOptions options)
        : IDisposable
    {
        /// <summary>All of them; recovery has a table of its own.</summary>
        public static StartSteps<LifeSteps> Table { get; } = new(
            new("take the devices", StepKind.Reads, static life => life.OpenCache(),
                Undo: static life => life.CloseDevices()),
            new("read the superblock", StepKind.Reads, static life => life.ReadSuperblock()),
            new("read the device table", StepKind.Reads, static life => life.ReadDevices(),
                Undo: static life => life._table?.Dispose()),
            new("read the samples of the devices", StepKind.Reads, static life => life.ReadSamples()),
            new("bind the devices", StepKind.Reads, static life => life.Bind()),
            new("make what is kept in memory", StepKind.Reads, static life => life.Make(),
                Undo: static life => life.Made.DisposeStructures()),
            new("check that no device was used without the cache", StepKind.Reads,
                static life => life.Made.CheckNotStale()),
            new("recover", StepKind.Writes, static life => life.Recover(),
                Undo: static life => life.Made.DisposeLog()),
            new("open for queues", StepKind.Writes, static life => life.Open(),
                Undo: static life => life.Made.OpenQueues.Dispose()));

        private readonly BlockingIo _io = new(io) { Watch = new IoWatch(options.Progress, options.StopAsked) };
        private DeviceQueue? _queue;
        private Superblock _superblock;
        private DeviceTable? _table;
        private SampleTable? _samples;
        private ContentEvidence? _evidence;
        private List<BackingDevice> _bound = [];
        private (bool Superblock, bool Devices, bool Samples) _copyBFirst;
        private bool _tableIsDue;
        private string? _damaged;
        private WriteboostVolume? _volume;
        private bool _isOpen;

        private WriteboostVolume Made => _volume!;

        /// <summary>Opens the volume.</summary>
        public WriteboostVolume Run()
        {
            Table.Run(this, mayWrite: true);
            return Made;
        }

        /// <summary>Drops what only the beginning needs.</summary>
        public void Dispose() => _samples?.Dispose();

        private void OpenCache() => _queue = cache.OpenQueue(io);

        // Those of a volume that has not been opened are the caller's.
        private void CloseDevices()
        {
            if (!_isOpen) return;
            foreach (BackingDevice backing in Made.Backings.ToList())
                if (!backing.IsAbsent) backing.Device.Dispose();
            cache.Dispose();
        }

        private void ReadSuperblock()
        {
            _superblock = SuperblockReader.Read(
                options.Layout, _io, _queue!, cache, out string? damaged, out _copyBFirst.Superblock);
            OpenChecks.Check(cache, _superblock);
            CacheGrowth.Apply(ref _superblock, cache, options);
            _damaged = damaged;
        }

        private void ReadDevices()
        {
            if (!options.Layout.HasDeviceTable) return;
            _table = TableReader.ReadDevices(
                _io, _queue!, cache, _superblock, out _copyBFirst.Devices, out bool equal);
            _tableIsDue = !equal;
        }

        private void ReadSamples()
        {
            // A cache that the module has formatted has no name yet.
            if (_superblock.CacheId == default) _superblock.CacheId = options.NewGuid();
            _samples = _table != null
                ? TableReader.ReadSamples(_io, _queue!, cache, _superblock, out _copyBFirst.Samples)
                : TableReader.ReadSegmentSamples(_io, _queue!, cache, ref _superblock, out _copyBFirst.Samples);
            _evidence = new ContentEvidence(_io, _table, _samples) { HasStopped = _superblock.IsClean };
            if (_damaged != null)
                options.Log($"{cache.Name}: superblock copy {_damaged} is damaged; using the other one");
        }

        private void Bind()
        {
            // Of a table that was lost nobody can tell whose the log's entries were: all count.
            long first = _table is { IsComplete: true } ? long.MaxValue : _superblock.MarkPosition;
            _bound = new Binding(_table, first, options, _evidence!).Bind(specs);
        }

        private void Make() => _volume = new WriteboostVolume(
            options.Layout, cache, _table, _tableIsDue, new Fingerprints(_superblock.CacheId, _samples!), _bound, ram,
            options, _superblock)
        {
            _life = this,
        };

        private void Recover()
        {
            using RecoverySteps recovery = new(Made, _io, _queue!, _evidence!, _copyBFirst);
            recovery.Run();
        }

        private void Open()
        {
            Made.WarnOfAbsent();
            foreach (BackingDevice backing in Made.Backings.ToList()) Made.Identity.Warn(backing);
            _isOpen = true;
        }
    }
}

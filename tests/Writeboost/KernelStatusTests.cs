using System;
using System.Collections.Generic;
using System.Linq;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Weir.Core.Writeboost.Volume;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>
/// <c>weir status --dm</c>, every field of it, beside a model of what the kernel's program of that layout would say.
/// The model differs in what Weir does otherwise: an overwrite takes a new slot, and what is still in RAM is found
/// there.
/// </summary>
public sealed class KernelStatusTests
{
    private const long CacheBytes = 16 << 20, BackingBytes = 32 << 20;

    public static TheoryData<string> Layouts => ["native", "writeboost2", "writeboost1", "lc1"];

    [Theory]
    [MemberData(nameof(Layouts))]
    public void EveryFieldHasTheValueOfTheKernelsProgram(string layout)
    {
        using RamDevice cache = new(CacheBytes), backing = new(BackingBytes);
        Format(cache, layout);
        Model model = new(Layout.Find(layout));
        using (DirectClient client = Open(cache, backing, layout))
        {
            model.Check(client.Volume, "a fresh cache");
            Write(client, model, 0, 3);
            model.Check(client.Volume, "three blocks");
            Write(client, model, 1, 1);
            client.Read(0, 4096);
            model.Read(0, isWhole: true);
            client.Read(1 << 20, 512);
            model.Read(256, isWhole: false);
            model.Check(client.Volume, "an overwrite, a hit and a miss");
            if (layout != "native") Flush(client, model);
            model.Check(client.Volume, "a flush");
            WritePart(client, model, 300);
            Write(client, model, 400, model.Room);
            model.Check(client.Volume, "a segment that is full to the last block");
            Write(client, model, 1000, 1);
            client.Until(() => client.Volume.Log.Written >= client.Volume.Geometry.Position(model.Current, 0));
            model.Check(client.Volume, "the first block of the next one");
            client.Volume.ClearStatistics();
            model.Clear();
            model.Check(client.Volume, "clear_stat");
            if (layout == "native") return;
            Flush(client, model);
            client.DrainAll();
            model.Drain();
            model.Check(client.Volume, "a drain");
            Write(client, model, 2000, 2);
            Flush(client, model);
            model.Check(client.Volume, "dirty again");
            client.Stop();
        }
        using DirectClient again = Open(cache, backing, layout);
        model.Clear();
        model.Check(again.Volume, "the next start");
    }

    /// <summary>Every setting that a line names has the value that was set.</summary>
    [Theory]
    [InlineData("native")]
    [InlineData("writeboost1")]
    public void SettingsAreWhatWasSet(string layout)
    {
        using RamDevice cache = new(CacheBytes), backing = new(BackingBytes);
        Format(cache, layout);
        using DirectClient client = Open(cache, backing, layout);
        List<Tunable> all = WriteboostTunables.Of(client.Volume.Options);
        string[] words = client.Volume.KernelStatus().Split(' ', '\n');
        int checkedCount = 0;
        for (int i = 0; i + 1 < words.Length; i++)
        {
            if (!all.Exists(t => t.Name == words[i] || t.Aliases.Contains(words[i]))) continue;
            Tunable tunable = Tunable.Find(all, words[i]);
            long value = tunable.Maximum == 1 ? 1 - tunable.Read() : tunable.Read() + 1;
            tunable.Set(tunable.Show(value), atStart: true);
            Assert.Equal(tunable.Show(value), client.Volume.KernelStatus().Split(' ', '\n')[i + 1]);
            checkedCount++;
        }
        Assert.True(checkedCount >= 6, client.Volume.KernelStatus());
    }

    private static void Format(RamDevice cache, string layout)
    {
        using RingContext io = new();
        Layout found = Layout.Find(layout);
        WriteboostFormat.Format(io, cache, found, found.DefaultSegmentBytes, Guid.NewGuid);
    }

    private static DirectClient Open(RamDevice cache, RamDevice backing, string layout) => new(
        cache, backing,
        new WriteboostOptions { Layout = Layout.Find(layout), AllowWriteback = false, SyncIntervalUs = 0 },
        new PrivateMemory());

    private static void Write(DirectClient client, Model model, int block, int count)
    {
        for (int i = 0; i < count; i++)
        {
            client.Write((block + i) * 4096L, new byte[4096]);
            model.Write(block + i, isWhole: true);
        }
    }

    private static void WritePart(DirectClient client, Model model, int block)
    {
        client.Write(block * 4096L, new byte[512]);
        model.Write(block, isWhole: false);
    }

    private static void Flush(DirectClient client, Model model)
    {
        client.Flush();
        model.Flush();
    }

    private sealed class Model(Layout layout)
    {
        private readonly int _blocks = (layout.DefaultSegmentBytes / 4096) - 1;
        private readonly HashSet<int> _dirty = [], _known = [];
        private readonly Dictionary<(bool Write, bool Hit, bool Ram, bool Whole), int> _counters = [];
        private readonly long _segments =
            (CacheBytes - Geometry.OffsetOfPhysical(0)) / layout.DefaultSegmentBytes;
        private int _taken, _partial;
        private long _flushed, _writtenBack, _durable;

        public long Current { get; private set; } = 1;

        public int Room => _blocks - _taken;

        public void Write(int block, bool isWhole)
        {
            if (_taken == _blocks) Close();
            Count(true, _known.Contains(block), isWhole);
            _taken++;
            _known.Add(block);
            _dirty.Add(block);
        }

        public void Read(int block, bool isWhole) => Count(false, _known.Contains(block), isWhole);

        public void Flush()
        {
            if (_taken > 0 && _taken < _blocks) _partial++;
            if (_taken > 0) Close();
            _durable = _flushed;
        }

        public void Drain()
        {
            _writtenBack = _flushed;
            _dirty.Clear();
        }

        public void Clear()
        {
            _counters.Clear();
            _partial = 0;
        }

        public void Check(WriteboostVolume volume, string when)
        {
            string expected = layout.Name == "lc1" ? Lc1(volume)
                : Line(layout.Name == "writeboost1" ? First() : Second());
            string actual = volume.KernelStatus();
            string[] words = layout.Name == "lc1"
                ? actual.Split('\n').Where(line => !line.StartsWith("static RAM", StringComparison.Ordinal)).ToArray()
                : actual.Split('\n')[0].Split(' ');
            Assert.Equal((when, expected), (when, string.Join(layout.Name == "lc1" ? '\n' : ' ', words)));
        }

        private void Close()
        {
            _flushed = Current++;
            _taken = 0;
        }

        private void Count(bool write, bool hit, bool whole)
        {
            var key = (write, hit, hit, whole);
            _counters[key] = _counters.GetValueOrDefault(key) + 1;
        }

        private int Counter(bool write, bool hit, bool ram, bool whole) =>
            _counters.GetValueOrDefault((write, hit, ram, whole));

        // Segment 1 is the first in the kernel's layouts, the second in ours.
        private long Cursor => ((layout.Name == "native" ? Current : Current - 1) % _segments * _blocks) + _taken;

        private long Batch => Math.Min(_durable - _writtenBack, 16);

        private static string Line(string fields) => $"0 {BackingBytes / 512} writeboost {fields}";

        // Bit 3 of the index is write, then hit, in RAM, whole.
        private string Second() => $"{Cursor} {_segments * _blocks} {_segments} {Current} {_flushed} {_writtenBack} "
            + $"{_dirty.Count} " + string.Join(' ', Enumerable.Range(0, 16).Select(i =>
                Counter((i & 8) != 0, (i & 4) != 0, (i & 2) != 0, (i & 1) != 0)))
            + $" {_partial} 10 writeback_threshold 70 nr_cur_batched_writeback {Batch} sync_data_interval 0 "
            + "update_sb_record_interval 0 read_cache_threshold 0";

        // Bit 0 of the index is write, then hit, in RAM, whole; the last counter is not printed.
        private int OldCounter(int i) => Counter((i & 1) != 0, (i & 2) != 0, (i & 4) != 0, (i & 8) != 0);

        private string First() => $"{_dirty.Count} {_segments} {_writtenBack} {_flushed} {Current} {Cursor} "
            + string.Join(' ', Enumerable.Range(0, 15).Select(OldCounter))
            + " 7 barrier_deadline_ms 3 allow_migrate 0 enable_migration_modulator 1 migrate_threshold 70 "
            + $"nr_cur_batched_migration {Batch} sync_interval 0 update_record_interval 0";

        private string Lc1(WriteboostVolume volume)
        {
            int id = volume.Backings.ToList()[0].Id;
            string counters = string.Join('\n', Enumerable.Range(0, 15).Select(i =>
                $"{i & 1} {(i >> 1) & 1} {(i >> 2) & 1} {i >> 3} {OldCounter(i)}"));
            return $"0 {BackingBytes / 512} lc \n0 1 lc-mgr \ncurrent cache_id_ptr: 1\nallow_migrate: 0\n"
                + $"nr_segments: {_segments}\nlast_migrated_segment_id: {_writtenBack}\n"
                + $"last_flushed_segment_id: {_flushed}\ncurrent segment id: {Current}\ncursor: {Cursor}\n\n"
                + $"write? hit? on_buffer? fullsize?\n{counters}\n0 {BackingBytes / 512} lc {id} "
                + $"{volume.Backings.ToList()[0].Device.KernelName} 1\n0 1 lc-mgr \n";
        }
    }
}

using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;
using Xunit;

namespace Weir.Tests.Stress;

/// <summary>
/// Index and segment table while segments are reused: what a look-up has pinned stays until it is unpinned, and is the
/// block that was asked for (R8). Segments are forgotten in their order and awaited, as the reclaimer does. A block of
/// which every segment has a newer version is found all the time.
/// </summary>
public sealed unsafe class PinTests
{
    // The first few are in every segment.
    private const int Blocks = 100, Always = 4, Readers = 3;

    [Fact]
    public void WhatIsPinnedStays()
    {
        Exception? failure = Go(Contention.PartMs, null);
        Assert.True(failure == null, $"{failure}");
    }

    [Fact]
    public void TheMutantIsCaught() =>
        Contention.AssertCaught(Go(Contention.MutantMs, WriteboostMutant.R10LatchAndOverflowIgnored));

    private static Exception? Go(int ms, Enum? mutant)
    {
        using Run run = new();
        Action<Contention>[] work = new Action<Contention>[Readers + 1];
        work[0] = run.Reuse;
        for (int i = 1; i < work.Length; i++) work[i] = run.Read;
        return Contention.Run(ms, mutant, run.IsEnough, work);
    }

    private sealed class Run : IDisposable
    {
        private static readonly Geometry s_geometry = new(128 << 10, 4);

        private readonly SegmentTable _table = new(s_geometry);
        private readonly BlockIndex _index;
        // What lies in the slots: the block and its position in the log.
        private readonly long[] _slots = new long[s_geometry.SlotCount];
        // Segments that have been written in whole.
        private long _written;
        private long _reads;
        private long _reused;

        public Run() => _index = new BlockIndex(s_geometry, _table, keepChecksums: false);

        public bool IsEnough() => Volatile.Read(ref _reads) > 1000 && Volatile.Read(ref _reused) > 10;

        public void Dispose()
        {
            _index.Dispose();
            _table.Dispose();
        }

        public void Reuse(Contention contention)
        {
            Prng random = new(7);
            for (long segment = 1; !contention.IsOver; segment++)
            {
                int physical = s_geometry.Physical(segment);
                uint first = s_geometry.PhysicalSlot(s_geometry.Position(segment, 0));
                if (segment > s_geometry.SegmentCount) Empty(physical, first);
                _table.Assign(physical, segment, -1);
                for (int slot = 1; slot < s_geometry.SlotsPerSegment; slot++)
                {
                    int block = slot <= Always ? slot - 1 : random.Below(Blocks);
                    Volatile.Write(ref _slots[first + slot], Value(block, s_geometry.Position(segment, slot)));
                    _index.Insert((ulong)block, first + (uint)slot, 0xFF, 0);
                }
                Volatile.Write(ref _written, segment);
            }
        }

        public void Read(Contention contention)
        {
            BlockVersion* versions = stackalloc BlockVersion[BlockIndex.MaxVersions];
            Prng random = new((ulong)Environment.CurrentManagedThreadId);
            long reads = 0;
            while (!contention.IsOver)
            {
                int block = random.Below(random.Chance(50) ? Always : Blocks);
                bool mustBeThere = block < Always && Volatile.Read(ref _written) > 0;
                int count = _index.Lookup((ulong)block, versions);
                Assert.True(count > 0 || !mustBeThere, $"block {block} is lost");
                if (count == 0) continue;
                Assert.Equal(1, count);
                long expected = Value(block, versions[0].Position);
                Thread.SpinWait(random.Below(50));
                Assert.Equal(expected, Volatile.Read(ref _slots[versions[0].Slot]));
                _table.Unpin((int)(versions[0].Slot >> s_geometry.SlotShift), 1);
                _reads = ++reads;
            }
        }

        private static long Value(int block, long position) => ((long)block << 48) | position;

        private void Empty(int physical, uint first)
        {
            for (uint slot = first + 1; slot < first + s_geometry.SlotsPerSegment; slot++) _index.Remove(slot);
            Assert.True(Contention.Await(() => !_table.IsPinned(physical)), "a segment stays pinned");
            for (uint slot = first; slot < first + s_geometry.SlotsPerSegment; slot++) _slots[slot] = 0;
            _reused++;
        }
    }
}

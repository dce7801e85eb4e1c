using System.Threading;
using Weir.Core.Base;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>The cursor's protocol on real threads: every slot has one owner, every record one closer.</summary>
public sealed class SegmentCursorTests(ITestOutputHelper output)
{
    private const int Segments = 3000;

    [Fact]
    public void ASegmentThatHoldsNothingIsGivenUpOnlyAsTheLast()
    {
        Geometry geometry = new(128 << 10, 8);
        SegmentCursor cursor = default;
        cursor.Open(5);
        Assert.Equal(CloseResult.Empty, cursor.Close(true, geometry, out _, out _, out int end));
        Assert.Equal(0, end);
        Assert.True(cursor.TryReserve(1, geometry, out Reservation taken));
        Assert.Equal((5L, 1), (taken.Segment, taken.First));
        Assert.Equal(CloseResult.Closed, cursor.Close(true, geometry, out _, out _, out _));
        cursor.Open(6);
        Assert.Equal(CloseResult.GivenUp, cursor.Close(true, geometry, out _, out _, out _, last: true));
        Assert.False(cursor.TryReserve(1, geometry, out _));
    }

    [Theory]
    [InlineData(128 << 10)]
    [InlineData(1 << 20)]
    [InlineData(4 << 20)]
    public void EverySlotHasOneOwnerAndEveryRecordOneCloser(int segmentBytes)
    {
        Run run = new(new Geometry(segmentBytes, 8));
        Thread[] threads = new Thread[4];
        for (int i = 0; i < threads.Length; i++)
        {
            int number = i;
            threads[i] = new Thread(() => run.Work(number));
            threads[i].Start();
        }
        foreach (Thread thread in threads) thread.Join();
        run.Judge();
        output.WriteLine($"{run.Flushes} flush closes, {run.Segment} segments");
        Assert.True(run.Flushes > 100);
    }

    private sealed class Run(Geometry geometry)
    {
        private const int Mine = 1, Header = 2, Closed = 4;
        private readonly int[] _slots = new int[Segments << geometry.SlotShift];
        private readonly int[] _recordEnd = new int[Segments << geometry.SlotShift];
        private SegmentCursor _cursor;
        private SpinLatch _opener;
        private int _segment = -1;

        public int Flushes;

        public int Segment => _segment;

        public void Work(int number)
        {
            Prng random = new((ulong)number + 77);
            if (number == 0) OpenNext(first: true);
            while (Volatile.Read(ref _segment) < 0) Thread.Yield();
            while (Volatile.Read(ref _segment) < Segments - 1)
            {
                if (random.Chance(10)) Flush();
                else if (_cursor.TryReserve(random.Between(1, SegmentCursor.MaxTake), geometry, out Reservation taken))
                    Fill(taken);
                else OpenNext(first: false);
            }
        }

        public void Judge()
        {
            for (int segment = 0; segment < Segments - 1; segment++)
            {
                int start = segment << geometry.SlotShift, end = start + geometry.SlotsPerSegment;
                for (int at = start; at < end;)
                {
                    Assert.Equal(0, _slots[at] & Mine);
                    int recordEnd = start + _recordEnd[at];
                    Assert.InRange(recordEnd, at + 1, end);
                    Assert.Equal(Closed, _slots[at] & Closed);
                    for (int slot = at + 1; slot < recordEnd; slot++) Assert.Equal(Mine, _slots[slot]);
                    at = recordEnd;
                }
            }
        }

        private void Flush()
        {
            if (_cursor.Close(false, geometry, out long segment, out int start, out int end) != CloseResult.Closed)
                return;
            Close(segment, start, end);
            Interlocked.Increment(ref Flushes);
        }

        private void Fill(in Reservation taken)
        {
            int end = System.Math.Min(taken.First + taken.Count, geometry.SlotsPerSegment + 1);
            for (int slot = taken.First; slot < end; slot++)
            {
                if ((slot & (geometry.BoundarySlots - 1)) == 0)
                    Close(taken.Segment, SegmentCursor.RecordOf(taken.RecordStart, slot - 1, geometry.BoundarySlots),
                        slot);
                else Assert.Equal(0, Interlocked.Or(ref _slots[At(taken.Segment, slot)], Mine) & Mine);
            }
        }

        private void Close(long segment, int start, int end)
        {
            Assert.Equal(0, Interlocked.Or(ref _slots[At(segment, start)], Closed | Header) & Closed);
            _recordEnd[At(segment, start)] = end;
        }

        private void OpenNext(bool first)
        {
            _opener.Enter();
            if (first || SegmentCursor.NextOf(_cursor.Load()) > geometry.SlotsPerSegment)
            {
                if (_segment < Segments - 1)
                {
                    _cursor.Open(_segment + 1);
                    Volatile.Write(ref _segment, _segment + 1);
                }
            }
            _opener.Exit();
        }

        private int At(long segment, int slot) => ((int)segment << geometry.SlotShift) + slot;
    }
}

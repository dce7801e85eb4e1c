using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;
using Xunit;

namespace Weir.Tests.Stress;

/// <summary>
/// The reader gate and the segment table: a RAM segment is handed out, filled and taken back all the time, while
/// readers copy from it. Nobody ever copies what was put there after it was given back (R8).
/// </summary>
public sealed unsafe class ReaderEpochTests
{
    private const int Readers = 2, Words = 512, Lines = 16, LineWords = 16;
    private const long Scribble = -1;

    [Fact]
    public void NobodyCopiesFromARamSegmentThatWasGivenBack()
    {
        using Run run = new();
        Exception? failure = run.Go(Contention.PartMs, null);
        Assert.True(failure == null, $"{failure}");
    }

    [Theory]
    [InlineData(WriteboostMutant.R8GateUnannounced)]
    [InlineData(WriteboostMutant.R8GateUnfenced)]
    [InlineData(WriteboostMutant.R8GateNotAwaited)]
    public void AMutantIsCaught(WriteboostMutant mutant)
    {
        using Run run = new();
        Contention.AssertCaught(run.Go(Contention.MutantMs, mutant));
    }

    private sealed class Run : IDisposable
    {
        private readonly SegmentTable _table = new(new Geometry(128 << 10, 8));
        private readonly ReaderEpoch _gate = new();
        private readonly AlignedMemory _ram = new(Words * sizeof(long));
        // Written by all readers: their next stores wait for these, and loads overtake them where nothing forbids it.
        private readonly long[] _contended = new long[Lines * LineWords];
        private long _copies;

        public Exception? Go(int ms, Enum? mutant)
        {
            Action<Contention>[] work = new Action<Contention>[Readers + 1];
            work[0] = Release;
            for (int i = 1; i < work.Length; i++)
            {
                int queue = i;
                work[i] = contention => Copy(contention, queue);
            }
            return Contention.Run(ms, mutant, () => Volatile.Read(ref _copies) > 100, work);
        }

        public void Dispose()
        {
            _table.Dispose();
            _gate.Dispose();
            _ram.Dispose();
        }

        private void Release(Contention contention)
        {
            Span<long> words = new(_ram.Pointer, Words);
            Prng random = new(1);
            for (long value = 1; !contention.IsOver; value++)
            {
                words.Fill(value);
                _table.Assign(0, value, 0);
                Thread.SpinWait(random.Below(100));
                _table.LeaveRam(0);
                _gate.Synchronize();
                words.Fill(Scribble);
            }
        }

        private void Copy(Contention contention, int queue)
        {
            Span<long> copy = new long[Words];
            long copies = 0;
            while (!contention.IsOver)
            {
                for (int i = 0; i < _contended.Length; i += LineWords) _contended[i] = copies;
                _gate.Enter(queue);
                int ram = _table.RamOf(0);
                if (ram >= 0) new ReadOnlySpan<long>(_ram.Pointer, Words).CopyTo(copy);
                _gate.Exit(queue);
                if (ram < 0) continue;
                _copies = ++copies;
                Assert.True(copy[0] != Scribble && copy.IndexOfAnyExcept(copy[0]) < 0,
                    $"a reader has copied {copy[0]} and {copy[^1]} from one RAM segment");
            }
        }
    }
}

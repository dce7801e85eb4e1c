using System;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Weir.Core.Writeboost.Volume;
using Weir.Tests.Simulation;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>
/// R10 step by step: at every place of a read where threads may meet, another queue runs a whole change and
/// acknowledges it. What is read afterwards is the change, whatever the first read has left in the cache.
/// </summary>
public sealed unsafe class ReadStepsTests
{
    private const int Blocks = 16;
    private const long Old = 5, New = 7;

    [Theory]
    [InlineData(RequestKind.Discard)]
    [InlineData(RequestKind.WriteZeroes)]
    [InlineData(RequestKind.Write)]
    public void AChangeAtAnyStepOfAReadIsSeenByTheNext(RequestKind kind) => Assert.Null(RunAll(kind, around: false));

    [Fact]
    public void AWriteRoundTheLogAtAnyStepOfAReadIsSeenByTheNext() =>
        Assert.Null(RunAll(RequestKind.Write, around: true));

    [Theory]
    [InlineData(WriteboostMutant.R10RangesSampledLate)]
    [InlineData(SharedMutant.R10StaleStaged)]
    public void AMutantIsCaught(Enum mutant)
    {
        Mutant.Active = mutant;
        try
        {
            Assert.NotNull(RunAll(RequestKind.WriteZeroes, around: false));
        }
        finally
        {
            Mutant.Active = null;
        }
    }

    // What is wrong, or null.
    private static string? RunAll(RequestKind kind, bool around)
    {
        int step = 0;
        for (bool reached = true; reached; step++)
        {
            string? wrong = RunOne(kind, around, step, out reached);
            if (wrong != null) return wrong;
        }
        Assert.True(step > 5, $"a read has only {step} steps");
        return null;
    }

    private static string? RunOne(RequestKind kind, bool around, int step, out bool reached)
    {
        using RamDevice backing = new(1 << 20), cache = new(4 << 20);
        new Span<long>(backing.Start, 1 << 17).Fill(Old);
        using RingContext io = new();
        WriteboostFormat.Format(io, cache, Layout.Native, 128 << 10, Guid.NewGuid);
        // A change is acknowledged at once: it need not wait for the slot that the read has taken.
        using SimRamStore ram = new(new SimWorld(1, trace: false), outlivesProcess: true);
        WriteboostOptions options = new()
        {
            RamSegments = 4, SyncIntervalUs = 0, AllowWriteback = false, ReadCacheThreshold = 127, WriteAround = around,
        };
        using WriteboostVolume volume = WriteboostVolume.Open(
            io, new KeptDevice(cache), [new BackingSpec(null, "disk", new KeptDevice(backing))], ram, options);
        using QueueDriver reader = new(volume, 0), changer = new(volume, 1);
        // What the cache knows its device by, it forgets on the first queue's thread: before it stands still.
        if (around) reader.Write(0, Old, Blocks);
        long expected = kind == RequestKind.Write ? New : 0;
        // Something in the map, so that its search has steps too.
        Assert.Equal(0, changer.Do(RequestKind.Discard, 512 << 10, 8 << 12));
        Meeting meeting = new(step, () =>
        {
            if (kind == RequestKind.Write) changer.Write(0, New, Blocks);
            else Assert.Equal(0, changer.Do(kind, 0, Blocks << 12));
        });
        Interleaving.Current = meeting;
        int result = reader.Do(RequestKind.Read, 0, Blocks << 12);
        Interleaving.Current = null;
        Assert.Equal(0, result);
        reached = meeting.IsOver;
        for (int block = 0; block < Blocks && meeting.HasMet; block++)
        {
            long value = reader.Read(block);
            if (value != expected) return $"step {step}: block {block} shows {value} after {expected} was acknowledged";
        }
        return null;
    }

    // Runs the change at step number `left`, once; not where the read holds a latch that the change needs.
    private sealed class Meeting(int left, Action change) : IInterleaver
    {
        private bool _inChange;

        public bool IsOver { get; private set; }

        public bool HasMet { get; private set; }

        public void Step()
        {
            if (_inChange || left-- != 0) return;
            _inChange = IsOver = true;
            try
            {
                change();
                HasMet = true;
            }
            catch (LatchedException)
            {
                // The volume is not used any more.
            }
            _inChange = false;
        }

        public bool Yield() => _inChange ? throw new LatchedException() : false;
    }

    private sealed class LatchedException : Exception;
}

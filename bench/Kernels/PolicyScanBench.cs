using System;
using BenchmarkDotNet.Attributes;
using Weir.Core.Base;
using Weir.Core.DmCache.Policies.Structures;

namespace Weir.Bench.Kernels;

/// <summary>
/// What policies look through, in a cache of a quarter of a million places: a hand that goes on to one place in a
/// thousand where it stops, and takes the marks of the others away; the next place of a thousand whose bit is set; the
/// tags of what has left; counters of the sketch that are halved.
/// </summary>
public unsafe class PolicyScanBench
{
    private const int Places = 1 << 18, Words = Places / 64, Spread = 1000, Tags = 4096, BucketCells = 16;

    private ulong* _bits, _marks, _counters;
    private ushort* _tags;
    private Cells<ulong> _words;
    private Cells<ushort> _cells;
    private uint _hand, _place, _bucket;

    /// <summary>Random ones.</summary>
    [GlobalSetup]
    public void Fill()
    {
        _words = new Cells<ulong>(3 * Words);
        _cells = new Cells<ushort>(Tags * BucketCells);
        _bits = _words.Start;
        _marks = _words.Start + Words;
        _counters = _words.Start + (2 * Words);
        _tags = _cells.Start;
        Prng random = new(1);
        for (int place = 0; place < Places; place++)
            if (random.Below(Spread) == 0) _bits[place / 64] |= 1UL << (place % 64);
        for (int i = 0; i < Words; i++) _counters[i] = random.Next();
        for (int i = 0; i < Tags * BucketCells; i++) _tags[i] = (ushort)random.Below(1 << 16);
    }

    /// <summary>Frees them.</summary>
    [GlobalCleanup]
    public void Dispose()
    {
        _words.Dispose();
        _cells.Dispose();
    }

    /// <summary>The hand: 256 places at a time.</summary>
    [Benchmark, BenchmarkCategory("Hand")]
    public uint KernelHand() => _hand = HandScan.Next(_bits, _marks, _hand >= Places ? 0 : _hand, Places) + 1;

    /// <summary>64 at a time.</summary>
    [Benchmark(Baseline = true), BenchmarkCategory("Hand")]
    public uint ScalarHand() => _hand = HandScan.NextScalar(_bits, _marks, _hand >= Places ? 0 : _hand, Places) + 1;

    /// <summary>The next word that has a bit: 256 places at a time.</summary>
    [Benchmark, BenchmarkCategory("Bit")]
    public uint KernelBit() =>
        _place = PlaceBits.NextWord(_bits, _place >= Words ? 0 : _place, Words) + 1;

    /// <summary>64 at a time.</summary>
    [Benchmark(Baseline = true), BenchmarkCategory("Bit")]
    public uint ScalarBit() =>
        _place = PlaceBits.NextWordScalar(_bits, _place >= Words ? 0 : _place, Words) + 1;

    /// <summary>The library's search.</summary>
    [Benchmark, BenchmarkCategory("Bit")]
    public uint LibraryBit()
    {
        uint from = _place >= Words ? 0 : _place;
        int found = new ReadOnlySpan<ulong>(_bits + from, (int)(Words - from)).IndexOfAnyExcept(0UL);
        return _place = found < 0 ? Words : from + (uint)found + 1;
    }

    /// <summary>A bucket of fifteen tags: in one comparison.</summary>
    [Benchmark, BenchmarkCategory("Tag")]
    public uint KernelTag() => GhostBuckets.Match(NextBucket(), (ushort)_bucket);

    /// <summary>One by one.</summary>
    [Benchmark(Baseline = true), BenchmarkCategory("Tag")]
    public uint ScalarTag() => GhostBuckets.MatchScalar(NextBucket(), (ushort)_bucket);

    /// <summary>Sixteen counters a word, 64 at a time.</summary>
    [Benchmark(OperationsPerInvoke = Words), BenchmarkCategory("Halve")]
    public void KernelHalve() => FrequencySketch.Halve(_counters, Words);

    /// <summary>A word at a time.</summary>
    [Benchmark(Baseline = true, OperationsPerInvoke = Words), BenchmarkCategory("Halve")]
    public void ScalarHalve() => FrequencySketch.HalveScalar(_counters, Words);

    private ushort* NextBucket() => _tags + ((nuint)(++_bucket % Tags) * BucketCells);
}

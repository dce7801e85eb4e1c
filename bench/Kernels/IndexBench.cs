using System.Collections.Generic;
using BenchmarkDotNet.Attributes;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;

namespace Weir.Bench.Kernels;

/// <summary>
/// The index of a full cache of 4 GiB, a million blocks: what a look-up and an insertion cost at random, beside the
/// framework's dictionary, which knows neither versions nor threads.
/// </summary>
public unsafe class IndexBench
{
    private const int SegmentBytes = 1 << 20, Segments = 4096;

    private readonly Geometry _geometry = new(SegmentBytes, Segments);
    private readonly Dictionary<ulong, uint> _dictionary = [];
    private SegmentTable _table = null!;
    private BlockIndex _index = null!;
    private ulong _random = 1;
    private uint _slot;

    /// <summary>Fills both.</summary>
    [GlobalSetup]
    public void Fill()
    {
        _table = new SegmentTable(_geometry);
        _index = new BlockIndex(_geometry, _table, keepChecksums: false);
        for (long i = 0; i < _geometry.SlotCount; i++) _ = Insert();
        _random = 1;
        for (long i = 0; i < _geometry.SlotCount; i++) _ = DictionaryInsert();
    }

    /// <summary>Frees them.</summary>
    [GlobalCleanup]
    public void Dispose()
    {
        _index.Dispose();
        _table.Dispose();
    }

    /// <summary>Of a block that is there with one chance in sixteen, as all are drawn from 16 million.</summary>
    [Benchmark]
    public int Lookup()
    {
        BlockVersion* versions = stackalloc BlockVersion[BlockIndex.MaxVersions];
        int found = _index.Lookup(NextKey(), versions);
        for (int i = 0; i < found; i++)
            if (versions[i].Ram < 0) _table.Unpin((int)(versions[i].Slot >> _geometry.SlotShift), 1);
        return found;
    }

    /// <summary>The same of the dictionary.</summary>
    [Benchmark(Baseline = true)]
    public bool DictionaryLookup() => _dictionary.TryGetValue(NextKey(), out uint _);

    /// <summary>A block's new version takes the place of whatever its slot held.</summary>
    [Benchmark]
    public FoundIn Insert()
    {
        uint slot = _slot++ % (uint)_geometry.SlotCount;
        if (_index.IsLinked(slot)) _index.Remove(slot);
        return _index.Insert(NextKey(), slot, SectorMask.Full, 0);
    }

    /// <summary>The same of the dictionary.</summary>
    [Benchmark]
    public uint DictionaryInsert() => _dictionary[NextKey()] = _slot++;

    private ulong NextKey()
    {
        _random ^= _random >> 12;
        _random ^= _random << 25;
        _random ^= _random >> 27;
        return (1UL << 40) | ((_random * 2685821657736338717) >> 40);
    }
}

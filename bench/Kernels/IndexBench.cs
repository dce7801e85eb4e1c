using System.Collections.Concurrent;
using System.Collections.Generic;
using BenchmarkDotNet.Attributes;
using Weir.Core.Base;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;

namespace Weir.Bench.Kernels;

/// <summary>
/// The index of a full cache of 4 GiB and a million blocks at random, of which it has nearly two thirds: a look-up,
/// and an insertion that takes the place of what its slot held and what the block had. Beside it chains that guard
/// nothing, and the library's dictionaries, of which only the second may be used by several threads.
/// </summary>
public unsafe class IndexBench
{
    private const int SegmentBytes = 1 << 20, Segments = 4096, Slots = Segments * 256, RunBlocks = 64;

    private readonly Geometry _geometry = new(SegmentBytes, Segments);
    private SegmentTable? _table;
    private BlockIndex? _index;
    private PlainIndex _plain = null!;
    private Dictionary<ulong, uint> _dictionary = null!;
    private ConcurrentDictionary<ulong, uint> _concurrent = null!;
    private ulong[] _held = [];
    private Prng _random = new(1);
    private uint _slot;

    /// <summary>Fills ours.</summary>
    [GlobalSetup(Targets = [nameof(KernelLookup), nameof(KernelRun), nameof(KernelRunPlain), nameof(KernelInsert)])]
    public void FillIndex()
    {
        _table = new SegmentTable(_geometry);
        _index = new BlockIndex(_geometry, _table, keepChecksums: false);
        for (int i = 0; i < Slots; i++) _ = KernelInsert();
    }

    /// <summary>Fills the chains.</summary>
    [GlobalSetup(Targets = [nameof(ScalarLookup), nameof(ScalarRun), nameof(ScalarInsert)])]
    public void FillPlain()
    {
        _plain = new PlainIndex(Slots);
        for (int i = 0; i < Slots; i++) ScalarInsert();
    }

    /// <summary>Fills the dictionary.</summary>
    [GlobalSetup(Targets = [nameof(LibraryDictionaryLookup), nameof(LibraryDictionaryInsert)])]
    public void FillDictionary()
    {
        (_dictionary, _held) = (new Dictionary<ulong, uint>(Slots), new ulong[Slots]);
        for (int i = 0; i < Slots; i++) LibraryDictionaryInsert();
    }

    /// <summary>Fills the dictionary of several threads.</summary>
    [GlobalSetup(Targets = [nameof(LibraryConcurrentLookup), nameof(LibraryConcurrentInsert)])]
    public void FillConcurrent()
    {
        (_concurrent, _held) = (new ConcurrentDictionary<ulong, uint>(2, Slots), new ulong[Slots]);
        for (int i = 0; i < Slots; i++) LibraryConcurrentInsert();
    }

    /// <summary>Frees them.</summary>
    [GlobalCleanup]
    public void Dispose()
    {
        _index?.Dispose();
        _table?.Dispose();
        (_index, _table, _plain, _dictionary, _concurrent, _held) = (null, null, null!, null!, null!, []);
    }

    /// <summary>Ours; what it finds is pinned against reuse, and unpinned.</summary>
    [Benchmark, BenchmarkCategory("Lookup")]
    public int KernelLookup()
    {
        BlockVersion* versions = stackalloc BlockVersion[BlockIndex.MaxVersions];
        int found = _index!.Lookup(NextKey(), versions);
        for (int i = 0; i < found; i++)
            if (versions[i].Ram < 0) _table!.Unpin((int)(versions[i].Slot >> _geometry.SlotShift), 1);
        return found;
    }

    /// <summary>The chains.</summary>
    [Benchmark(Baseline = true), BenchmarkCategory("Lookup")]
    public int ScalarLookup() => _plain.Find(NextKey());

    /// <summary>The dictionary's.</summary>
    [Benchmark, BenchmarkCategory("Lookup")]
    public bool LibraryDictionaryLookup() => _dictionary.TryGetValue(NextKey(), out uint _);

    /// <summary>The same of several threads.</summary>
    [Benchmark, BenchmarkCategory("Lookup")]
    public bool LibraryConcurrentLookup() => _concurrent.TryGetValue(NextKey(), out uint _);

    /// <summary>Ours: one block after the other, as a block status asks.</summary>
    [Benchmark(OperationsPerInvoke = RunBlocks), BenchmarkCategory("Run")]
    public long KernelRun()
    {
        ulong key = NextKey();
        long sum = 0;
        for (uint i = 0; i < RunBlocks; i++)
        {
            _index!.PrefetchAlong(key + i);
            sum += _index.NewestPosition(key + i);
        }
        return sum;
    }

    /// <summary>The same without a look ahead.</summary>
    [Benchmark(OperationsPerInvoke = RunBlocks), BenchmarkCategory("Run")]
    public long KernelRunPlain()
    {
        ulong key = NextKey();
        long sum = 0;
        for (uint i = 0; i < RunBlocks; i++) sum += _index!.NewestPosition(key + i);
        return sum;
    }

    /// <summary>The chains.</summary>
    [Benchmark(Baseline = true, OperationsPerInvoke = RunBlocks), BenchmarkCategory("Run")]
    public long ScalarRun()
    {
        ulong key = NextKey();
        long sum = 0;
        for (uint i = 0; i < RunBlocks; i++) sum += _plain.Find(key + i);
        return sum;
    }

    /// <summary>Ours.</summary>
    [Benchmark, BenchmarkCategory("Insert")]
    public FoundIn KernelInsert()
    {
        uint slot = _slot++ % Slots;
        if (_index!.IsLinked(slot)) _index.Remove(slot);
        return _index.Insert(NextKey(), slot, SectorMask.Full, 0);
    }

    /// <summary>The chains.</summary>
    [Benchmark(Baseline = true), BenchmarkCategory("Insert")]
    public void ScalarInsert() => _plain.Insert(NextKey(), (int)(_slot++ % Slots));

    /// <summary>The dictionary's.</summary>
    [Benchmark, BenchmarkCategory("Insert")]
    public void LibraryDictionaryInsert()
    {
        uint slot = _slot++ % Slots;
        if (_dictionary.TryGetValue(_held[slot], out uint at) && at == slot) _dictionary.Remove(_held[slot]);
        _dictionary[_held[slot] = NextKey()] = slot;
    }

    /// <summary>The same of several threads.</summary>
    [Benchmark, BenchmarkCategory("Insert")]
    public void LibraryConcurrentInsert()
    {
        uint slot = _slot++ % Slots;
        _ = _concurrent.TryRemove(new KeyValuePair<ulong, uint>(_held[slot], slot));
        _concurrent[_held[slot] = NextKey()] = slot;
    }

    private ulong NextKey() => (1UL << 40) | (uint)_random.Below(Slots);
}

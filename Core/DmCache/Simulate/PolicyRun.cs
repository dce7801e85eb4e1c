using System;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Weir.Core.DmCache.Policies;
using Weir.Core.Traces;

namespace Weir.Core.DmCache.Simulate;

/// <summary>
/// A policy decides about a trace as it does in the engine, without devices: a miss that it wants brings the block in
/// at once, into a free place while there is one, else where its victim was. One thread.
/// </summary>
/// <typeparam name="TPolicy">The policy: no call of it is virtual.</typeparam>
internal ref struct PolicyRun<TPolicy>
    where TPolicy : struct, IPolicy<TPolicy>
{
    /// <summary>Accesses ahead for which memory is asked: what a miss of the processor's cache takes.</summary>
    private const int Ahead = 12;

    private readonly CompactTrace _trace;
    private readonly ReadOnlySpan<long> _homes;
    private readonly Span<uint> _placeOf;
    private readonly Span<uint> _blockAt;
    private TPolicy _policy;
    private AnyPlace _gate;
    private uint _used;
    private bool _isMissing;
    private SimulationCounts _counts;

    private PolicyRun(CompactTrace trace, uint places, ulong seed)
    {
        _trace = trace;
        _homes = trace.Homes;
        _placeOf = new uint[Math.Max(1, trace.Blocks)];
        _placeOf.Fill(PolicyInfo.NoPlace);
        _blockAt = new uint[places];
        int blockSectors = trace.Figures.BlockBytes / 512;
        _policy = TPolicy.Create(new PolicyShape(places, Math.Max(1, trace.HomeCount), blockSectors, seed));
        _counts = new SimulationCounts { Accesses = trace.Accesses, Requests = trace.Figures.Requests };
    }

    /// <summary>The whole trace, from an empty cache of <paramref name="places"/> blocks.</summary>
    public static SimulationCounts Of(CompactTrace trace, uint places, ulong seed, SimulationProgress progress)
    {
        PolicyRun<TPolicy> run = new(trace, places, seed);
        try
        {
            return run.Whole(progress);
        }
        finally
        {
            run._policy.Dispose();
        }
    }

    private SimulationCounts Whole(SimulationProgress progress)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < _trace.ChunkCount; i++)
        {
            Accesses(_trace.Chunk(i));
            progress.Add(_trace.Chunk(i).Length);
        }
        EndRequest();
        _counts.Seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        _counts.MemoryBytes = _policy.MemoryBytes;
        return _counts;
    }

    private void Accesses(ReadOnlySpan<BlockAccess> accesses)
    {
        for (int i = 0; i < accesses.Length; i++)
        {
            if (i + Ahead < accesses.Length) Prefetch(accesses[i + Ahead].Block);
            BlockAccess access = accesses[i];
            BlockAccessFlags flags = access.Flags;
            if ((flags & BlockAccessFlags.Begins) != 0)
            {
                EndRequest();
                if ((flags & BlockAccessFlags.Tick) != 0) _policy.Tick();
            }
            uint place = _placeOf[(int)access.Block];
            if (place == PolicyInfo.NoPlace) Miss(access);
            else _policy.Hit(place, new Access(FlagsOf(flags), access.Sectors));
        }
    }

    private void EndRequest()
    {
        if (_isMissing) _counts.RequestMisses++;
        _isMissing = false;
    }

    private void Miss(BlockAccess block)
    {
        _counts.Misses++;
        _isMissing = true;
        bool hasFree = _used < (uint)_blockAt.Length;
        AccessFlags flags = FlagsOf(block.Flags) | (hasFree ? AccessFlags.PlaceIsFree : AccessFlags.None);
        Access access = new(flags, block.Sectors);
        long home = _homes[(int)block.Block];
        if (!_policy.Miss(home, access)) return;
        uint place = hasFree ? _used++ : Evict();
        if (place == PolicyInfo.NoPlace) return;
        _policy.Insert(place, home, access);
        _blockAt[(int)place] = block.Block;
        _placeOf[(int)block.Block] = place;
        _counts.Promotions++;
    }

    private uint Evict()
    {
        uint place = _policy.ChooseVictim(ref _gate);
        if (place == PolicyInfo.NoPlace) return place;
        _policy.Remove(place, isEvicted: true);
        _placeOf[(int)_blockAt[(int)place]] = PolicyInfo.NoPlace;
        _counts.Evictions++;
        return place;
    }

    private static AccessFlags FlagsOf(BlockAccessFlags flags)
    {
        AccessFlags found = AccessFlags.None;
        if ((flags & BlockAccessFlags.Write) != 0) found = AccessFlags.Write;
        if ((flags & BlockAccessFlags.WholeBlock) != 0) found |= AccessFlags.WholeBlock;
        if ((flags & BlockAccessFlags.Sequential) != 0) found |= AccessFlags.Sequential;
        return found;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly unsafe void Prefetch(uint block)
    {
        ref uint at = ref Unsafe.Add(ref MemoryMarshal.GetReference(_placeOf), block);
        Sse.Prefetch0(Unsafe.AsPointer(ref at));
    }

    // Nothing is under way in a simulation.
    private struct AnyPlace : IVictimGate
    {
        public readonly bool MayGo(uint place) => true;
    }
}

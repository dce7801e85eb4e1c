using System;

namespace Weir.Core.DmCache.Policies;

/*
 * What a policy is told, and what it says:
 *
 *   a request of a block that is cached        Hit(place)
 *   a request of one that is not               Miss(home)          true: bring it in
 *   a place is needed and none is free         ChooseVictim(gate)  which place gives way, if any may
 *   the block at a place is no longer there    Remove(place)
 *   a block has come to a place                Insert(place, home)
 *   a removal is taken back                    ForceMapping(place, home)
 *   time has passed                            Tick()
 *   a cache is opened that had blocks          Load(place, home, hint), before all else
 *   a cache is stopped                         HintOf(place)
 */

/// <summary>
/// Decides which blocks are cached: which come in, and which give way (dm-cache: <c>dm_cache_policy</c>; seed 002,
/// dm-cache-policy.h). It sees numbers, time and hints, never devices or requests. Homes are numbers of blocks on the
/// backing device, places those on the cache device, from 0 on, dense.
/// </summary>
/// <remarks>
/// One thread at a time; who calls holds the policy's latch. Memory is taken in <see cref="Create"/> and bounded by
/// the number of places. The caller owns the mapping and the free places: a policy that remembers homes does that for
/// itself. A promotion takes a while, or is given up: between <see cref="Miss"/> and <see cref="Insert"/> there may be
/// more misses of the same block, and <see cref="Insert"/> may never come. Policies are structs, and the caller is
/// generic over them: no call of these is virtual.
/// </remarks>
/// <typeparam name="TSelf">The policy.</typeparam>
internal interface IPolicy<TSelf> : IDisposable
    where TSelf : struct, IPolicy<TSelf>
{
    /// <summary>What it is called, and what it keeps on disk.</summary>
    static abstract PolicyInfo Info { get; }

    /// <summary>One that knows of no block.</summary>
    static abstract TSelf Create(in PolicyShape shape);

    /// <summary>Bytes of memory of all that it keeps.</summary>
    long MemoryBytes { get; }

    /// <summary>Places that hold a block, as far as it knows.</summary>
    int Residency { get; }

    /// <summary>
    /// Before all else: <paramref name="place"/> holds <paramref name="home"/>, and <see cref="HintOf"/> said
    /// <paramref name="hint"/> of it before the stop; <see cref="PolicyInfo.NoHint"/>: it is not known. Places come in
    /// ascending order.
    /// </summary>
    void Load(uint place, long home, uint hint);

    /// <summary>A request has met the block at <paramref name="place"/>.</summary>
    void Hit(uint place, in Access access);

    /// <summary>A request has met a block that is not cached. True: it is to be brought in.</summary>
    bool Miss(long home, in Access access);

    /// <summary>
    /// The place that gives way next, of those that <paramref name="gate"/> lets go; <see cref="PolicyInfo.NoPlace"/>:
    /// none of those it looked at may go now. It looks at a bounded number. Nothing has changed yet but the policy's
    /// own order: <see cref="Remove"/> follows, or it does not.
    /// </summary>
    uint ChooseVictim<TGate>(ref TGate gate)
        where TGate : struct, IVictimGate;

    /// <summary>The block at <paramref name="place"/> has left it, for whatever reason.</summary>
    /// <param name="place">The place; it holds a block.</param>
    /// <param name="isEvicted">It was this policy's victim: worth remembering. Else the block is gone.</param>
    void Remove(uint place, bool isEvicted);

    /// <summary><paramref name="home"/> has come to <paramref name="place"/>, which holds none, after a miss.</summary>
    void Insert(uint place, long home, in Access access);

    /// <summary>
    /// A removal is taken back: <paramref name="place"/>, which holds none, has <paramref name="home"/> again.
    /// </summary>
    void ForceMapping(uint place, long home);

    /// <summary>The block at <paramref name="place"/> is dirty, or clean again. Most policies do not care.</summary>
    void SetDirty(uint place, bool isDirty)
    {
    }

    /// <summary>
    /// A while has passed: what happens within one counts once, where a policy counts so (seed 002, L2512).
    /// </summary>
    void Tick()
    {
    }

    /// <summary>What to keep of <paramref name="place"/>, which holds a block, over a restart.</summary>
    uint HintOf(uint place);

    /// <summary>
    /// Why blocks were not brought in, and whatever else it counts, by name: for status. Control path.
    /// </summary>
    void Report(Action<string, long> count)
    {
    }

    /// <summary>Sets a thing (<see cref="PolicyInfo.Settings"/>), by its place there, within its range.</summary>
    void Set(int setting, long value)
    {
    }

    /// <summary>The value of what can be set.</summary>
    long Get(int setting) => 0;

    /// <summary>Throws when its structures contradict each other or themselves. For tests.</summary>
    void CheckInvariants();
}

/// <summary>Says which places may give way now: those that are busy, or dirty, may not.</summary>
internal interface IVictimGate
{
    /// <summary>It may go.</summary>
    bool MayGo(uint place);
}

/// <summary>What a policy is, apart from its state.</summary>
/// <param name="Name">On the command line and on disk; at most 15 bytes.</param>
/// <param name="HintBytes">What it keeps of each place over a restart: 0 or 4 bytes.</param>
/// <param name="Version">Of its hints: another one's are not read (dm-cache: policy version, three numbers).</param>
/// <param name="Meaning">One line for people: what it does, and for whom.</param>
internal sealed record PolicyInfo(string Name, int HintBytes, (int Major, int Minor, int Patch) Version, string Meaning)
{
    /// <summary>No place.</summary>
    public const uint NoPlace = uint.MaxValue;

    /// <summary>No hint is known.</summary>
    public const uint NoHint = uint.MaxValue;

    /// <summary>It never brings anything in: it empties the cache (seed 002: cleaner).</summary>
    public bool IsCleaner { get; init; }

    /// <summary>What can be set, under the seed's names.</summary>
    public PolicySetting[] Settings { get; init; } = [];
}

/// <summary>A number that can be set.</summary>
internal sealed record PolicySetting(string Name, long Minimum, long Maximum, long Default, string Meaning);

/// <summary>The cache that a policy is for.</summary>
/// <param name="Places">Blocks of the cache device, at least one.</param>
/// <param name="Homes">Blocks of the backing device.</param>
/// <param name="BlockSectors">Sectors of a block.</param>
/// <param name="Seed">For those that draw lots: the same seed, the same lots.</param>
internal readonly record struct PolicyShape(uint Places, long Homes, int BlockSectors, ulong Seed);

/// <summary>One request, as far as a policy sees it: one of its blocks.</summary>
/// <param name="Flags">What kind.</param>
/// <param name="Sectors">Of this block.</param>
internal readonly record struct Access(AccessFlags Flags, int Sectors)
{
    /// <summary>It writes.</summary>
    public bool IsWrite => (Flags & AccessFlags.Write) != 0;

    /// <summary>Part of a long sequential stream.</summary>
    public bool IsSequential => (Flags & AccessFlags.Sequential) != 0;

    /// <summary>To bring the block in costs no copy: it is discarded, or written as a whole.</summary>
    public bool IsCheap => (Flags & (AccessFlags.Discarded | AccessFlags.WholeBlock)) != 0;
}

/// <summary>What is known of an <see cref="Access"/>.</summary>
[Flags]
internal enum AccessFlags : byte
{
    /// <summary>A read.</summary>
    None = 0,
    /// <summary>A write.</summary>
    Write = 1,
    /// <summary>Of a block that is discarded.</summary>
    Discarded = 2,
    /// <summary>It writes the whole block.</summary>
    WholeBlock = 4,
    /// <summary>Part of a long sequential stream.</summary>
    Sequential = 8,
    /// <summary>A place is free: nothing gives way for the block.</summary>
    PlaceIsFree = 16,
}

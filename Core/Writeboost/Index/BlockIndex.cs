using System;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;
using GrowingSlab = Weir.Native.GrowingSlab;

namespace Weir.Core.Writeboost.Index;

/// <summary>One logged version of a block, as a lookup found it.</summary>
public struct BlockVersion
{
    /// <summary>Position in the log: the larger, the newer.</summary>
    public long Position;
    /// <summary>Where it lies on the cache device.</summary>
    public uint Slot;
    /// <summary>RAM segment that holds it, or -1; then its segment is pinned once for this version.</summary>
    public int Ram;
    /// <summary>Sectors it holds.</summary>
    public byte Sectors;
    /// <summary>Its bytes are known to be rotten.</summary>
    public bool Rotten;
    /// <summary>Of those: the device did not give them, and may do so again.</summary>
    public bool Unread;
    /// <summary>The backing device has it too.</summary>
    public bool Clean;
}

/// <summary>Where the newest version of a block is.</summary>
public enum FoundIn
{
    /// <summary>The log has nothing of it.</summary>
    Nothing,
    /// <summary>On the cache device.</summary>
    Cache,
    /// <summary>In a RAM segment.</summary>
    Ram,
}

/// <summary>
/// Block to log slots, at most 16 bytes per slot: a node of 8 bytes for every slot of the cache, and buckets of one
/// cache line for about eleven slots each. A look-up meets one line, and one node for each version.
/// <code>
///  node:  | key low u32 | key high u16 | sectors u8 | flags u8 |
/// </code>
/// A block with partial writes has several nodes in its bucket, in no order: a node's age is its log position.
/// A node stays only while it holds a sector that no newer node of its block holds, so a block has at most eight.
/// Protocol: a bucket is read and changed under its latch for some dozen instructions; a node belongs to its bucket's
/// latch while linked, and to the writer that reserved the slot before that. A lookup pins under the latch the segments
/// it will read from the device, so that removal (under the same latch) and reuse (after the pins are gone) cannot
/// overtake it.
/// </summary>
public sealed unsafe partial class BlockIndex : IDisposable
{
    /// <summary>Most versions a lookup returns: eight disjoint sectors.</summary>
    public const int MaxVersions = 8;

    private const int Devices = 256;

    // Blocks: the bucket is near when its tags are looked at, the node when its block's turn comes.
    private const uint BucketsAhead = 24, VersionsAhead = 8;
    /// <summary>RAM that a cached block may cost, the segment table included, without and with checksums.</summary>
    public const int MaxBytesPerBlock = 16, MaxBytesPerVerifiedBlock = 20;

    private const long MostSlots = 0x7FFF_FFFF;
    private const byte LinkedFlag = 1, RottenFlag = 2, CleanFlag = 4, PoisonFlag = 8, UnreadFlag = 16;
    private readonly GrowingSlab _nodeMemory;
    private readonly GrowingSlab? _checksumMemory;
    private readonly Node* _nodes;
    private readonly uint* _checksums;
    private readonly Geometry _geometry;
    private readonly SegmentTable _table;
    private readonly int _slotShift;
    private readonly long[] _dirtyCounts = new long[Devices];

    /// <summary>
    /// An empty index over all slots of <paramref name="geometry"/>; with <paramref name="keepChecksums"/> it takes
    /// four bytes more per slot, so that every read can be checked.
    /// </summary>
    public BlockIndex(in Geometry geometry, SegmentTable table, bool keepChecksums)
    {
        Invariant.Check(geometry.SlotCount <= MostSlots);
        _table = table;
        _geometry = geometry;
        _slotShift = geometry.SlotShift;
        if (keepChecksums)
        {
            _checksumMemory = new GrowingSlab(geometry.SlotCount * sizeof(uint), MostSlots * sizeof(uint));
            _checksums = (uint*)_checksumMemory.Start;
        }
        _nodeMemory = new GrowingSlab(geometry.SlotCount * sizeof(Node), MostSlots * sizeof(Node));
        _nodes = (Node*)_nodeMemory.Start;
        _homeCount = _poolEnd = CountHomes(geometry, keepChecksums, out _overflowShare);
        _bucketMemory = new GrowingSlab(
            BucketsFor(geometry.SlotCount) * sizeof(Bucket), BucketsFor(MostSlots) * sizeof(Bucket));
        _buckets = (Bucket*)_bucketMemory.Start;
    }

    /// <summary>
    /// Makes room for the slots of <paramref name="grown"/>; before the geometry knows of them. Its buckets stay as
    /// many as they are until the next start. False: there is no memory.
    /// </summary>
    public bool TryGrow(in Geometry grown) =>
        grown.SlotCount <= MostSlots && _nodeMemory.TryGrow(grown.SlotCount * sizeof(Node))
        && _bucketMemory.TryGrow(BucketsFor(grown.SlotCount) * sizeof(Bucket))
        && _checksumMemory?.TryGrow(grown.SlotCount * sizeof(uint)) != false;

    /// <summary>Slots there are.</summary>
    public long SlotCount => _geometry.SlotCount;

    /// <summary>Which regions it has something of.</summary>
    public RegionMarks Regions { get; } = new();

    /// <summary>Checksums are at hand: <see cref="IsIntact"/> can tell.</summary>
    public bool KeepsChecksums => _checksums != null;

    /// <summary>Versions that only the log has; a block with several partial versions counts for each.</summary>
    public long DirtyCount
    {
        get
        {
            long sum = 0;
            for (int device = 0; device < Devices; device++) sum += DirtyOf(device);
            return sum;
        }
    }

    /// <summary>Those of device <paramref name="device"/>, the number in bits 40 to 47 of their keys.</summary>
    public long DirtyOf(int device) => Volatile.Read(ref _dirtyCounts[device]);

    /// <summary>Bytes of the nodes.</summary>
    public long NodeBytes => _geometry.SlotCount * sizeof(Node);

    /// <summary>Bytes of the checksums, when it keeps them.</summary>
    public long ChecksumBytes => KeepsChecksums ? _geometry.SlotCount * sizeof(uint) : 0;

    /// <summary>
    /// The versions of block <paramref name="key"/>, newest first, into <paramref name="versions"/> (room for
    /// <see cref="MaxVersions"/>). The caller unpins the segment of each whose Ram is -1.
    /// </summary>
    public int Lookup(ulong key, BlockVersion* versions)
    {
        if (IsAbsent(key)) return 0;
        Held held = Enter(key);
        int count = Gather(held, versions);
        Interleaving.Step();
        for (int i = 0; i < count; i++) Pin(ref versions[i]);
        Exit(held);
        return count;
    }

    /// <summary>Position of the newest version of block <paramref name="key"/>; 0 when none.</summary>
    public long NewestPosition(ulong key)
    {
        if (IsAbsent(key)) return 0;
        uint* slots = stackalloc uint[MaxVersions];
        long newest = 0;
        Held held = Enter(key);
        for (int i = SlotsOf(held, slots) - 1; i >= 0; i--) newest = Math.Max(newest, _table.PositionOf(slots[i]));
        Exit(held);
        return newest;
    }

    /// <summary>
    /// The sectors of block <paramref name="key"/> that versions at <paramref name="position"/> or behind it have.
    /// </summary>
    public byte SectorsFrom(ulong key, long position)
    {
        if (IsAbsent(key)) return 0;
        Held held = Enter(key);
        byte sectors = SectorsBehind(held, position - 1);
        Exit(held);
        return sectors;
    }

    /// <summary>
    /// Brings the bucket of <paramref name="key"/> near the processor: for whoever has many blocks to enter, a few
    /// ahead.
    /// </summary>
    public void Prefetch(ulong key) => Sse.Prefetch0(&_buckets[HomeOf(key, _homeCount, out _)]);

    /// <summary>The same for the node of a version it has, some time after <see cref="Prefetch"/>.</summary>
    public void PrefetchVersion(ulong key)
    {
        Bucket* home = &_buckets[HomeOf(key, _homeCount, out byte tag)];
        uint places = Match(home->Tags, tag);
        if (places != 0) Sse.Prefetch0(&_nodes[home->Slots[BitOperations.TrailingZeroCount(places)]]);
    }

    /// <summary>
    /// For whoever looks up block after block and has come to <paramref name="key"/>: what those some way ahead meet.
    /// </summary>
    public void PrefetchAlong(ulong key)
    {
        if (key % GroupBlocks == 0) Prefetch(key + BucketsAhead);
        PrefetchVersion(key + VersionsAhead);
    }

    /// <summary>
    /// Adds the version in <paramref name="slot"/>; unlinks the versions of the block that have nothing newer to give.
    /// The highest position wins, whoever comes last (R2).
    /// </summary>
    /// <returns>Where the block's newest version was until now.</returns>
    public FoundIn Insert(ulong key, uint slot, byte sectors, uint checksum)
    {
        Node* node = &_nodes[slot];
        Invariant.Check((node->Flags & LinkedFlag) == 0);
        Invariant.Check(sectors != 0);
        node->Set(key, sectors);
        if (_checksums != null) _checksums[slot] = checksum;
        Held held = Enter(key);
        Interleaving.Step();
        if (RottenCount > 0) YieldPoison(ref held, slot);
        TryAdd(ref held, slot, LinkedFlag, out FoundIn former);
        Exit(held);
        Regions.Note(key);
        return former;
    }

    /// <summary>
    /// Adds the whole clean block in <paramref name="slot"/>, unless a version of the block is there, or, with
    /// <paramref name="changes"/>, it may have changed since <paramref name="sample"/> was taken over the
    /// <paramref name="sampled"/> blocks from <paramref name="sampleKey"/> on (R10). The look at the changes happens
    /// under the latch: whoever goes round the log begins before he comes to the latch, and finds the block.
    /// </summary>
    public bool TryInsertClean(
        ulong key, uint slot, uint checksum, StripedVersions? changes, ulong sampleKey, int sampled, long sample)
    {
        Node* node = &_nodes[slot];
        Invariant.Check((node->Flags & LinkedFlag) == 0);
        node->Set(key, SectorMask.Full);
        if (_checksums != null) _checksums[slot] = checksum;
        uint* slots = stackalloc uint[MaxVersions];
        Held held = Enter(key);
        bool enters = (SlotsOf(held, slots) == 0 || Mutant.Is(SharedMutant.R10CleanBeatsDirty))
            && (changes == null || changes.IsUnchanged(sampleKey, sampled, sample));
        if (enters) TryAdd(ref held, slot, LinkedFlag | CleanFlag, out _);
        Exit(held);
        if (enters) Regions.Note(key);
        return enters;
    }

    /// <summary>
    /// Adds the version in <paramref name="slot"/>, which the backing device has too, among the others of its block:
    /// the highest position wins (R2).
    /// </summary>
    public void InsertClean(ulong key, uint slot, byte sectors, uint checksum)
    {
        Node* node = &_nodes[slot];
        Invariant.Check((node->Flags & LinkedFlag) == 0);
        node->Set(key, sectors);
        if (_checksums != null) _checksums[slot] = checksum;
        Held held = Enter(key);
        TryAdd(ref held, slot, LinkedFlag | CleanFlag, out _);
        Exit(held);
        Regions.Note(key);
    }

    /// <summary>
    /// Forgets the versions of block <paramref name="key"/> if the backing device has them all. False: it has not.
    /// </summary>
    public bool TryDropClean(ulong key, out bool dropped)
    {
        dropped = false;
        if (IsAbsent(key)) return true;
        uint* slots = stackalloc uint[MaxVersions];
        Held held = Enter(key);
        int count = SlotsOf(held, slots);
        bool clean = true;
        for (int i = 0; i < count; i++) clean &= (_nodes[slots[i]].Flags & CleanFlag) != 0;
        dropped = clean && count > 0;
        for (int i = 0; i < count && clean; i++) Forget(ref held, slots[i]);
        Exit(held);
        return clean;
    }

    /// <summary>Removes the version in <paramref name="slot"/> if it still counts.</summary>
    public void Remove(uint slot)
    {
        Node* node = &_nodes[slot];
        if (node->KeyIsUnset) return;
        Held held = Enter(node->Key);
        if ((node->Flags & LinkedFlag) != 0) Forget(ref held, slot);
        Exit(held);
    }

    /// <summary>
    /// The version in <paramref name="slot"/> is on the backing device now; it goes on serving reads. False: that was
    /// known, or it counts no more.
    /// </summary>
    public bool MarkClean(uint slot)
    {
        Held held = Enter(_nodes[slot].Key);
        bool isNew = (_nodes[slot].Flags & (LinkedFlag | CleanFlag)) == LinkedFlag;
        if (isNew)
        {
            if ((_nodes[slot].Flags & RottenFlag) != 0) CountRotten(_nodes[slot].Key, -1);
            _nodes[slot].Flags |= CleanFlag;
            Interlocked.Decrement(ref DirtyCountOf(_nodes[slot].Key));
        }
        Exit(held);
        return isNew;
    }

    /// <summary>The version in <paramref name="slot"/> still has a sector that no newer version has.</summary>
    public bool IsLinked(uint slot) => (Volatile.Read(ref _nodes[slot].Flags) & LinkedFlag) != 0;

    /// <summary>
    /// The 4 KiB at <paramref name="data"/> are what was logged in <paramref name="slot"/>, whose segment the caller
    /// has pinned. Only with <see cref="KeepsChecksums"/>.
    /// </summary>
    public bool IsIntact(uint slot, byte* data) => BlockSum.Compute(data) == _checksums[slot];

    /// <summary>Block of the version in <paramref name="slot"/>.</summary>
    public ulong KeyOf(uint slot) => _nodes[slot].Key;

    /// <inheritdoc/>
    public void Dispose()
    {
        _nodeMemory.Dispose();
        _bucketMemory.Dispose();
        _checksumMemory?.Dispose();
        Regions.Dispose();
    }

    private ref long DirtyCountOf(ulong key) => ref _dirtyCounts[(byte)(key >> 40)];

    [StructLayout(LayoutKind.Sequential, Size = 8)]
    private struct Node
    {
        private uint _keyLow;
        private ushort _keyHigh;
        public byte Sectors;
        public byte Flags;

        public readonly ulong Key => _keyLow | ((ulong)_keyHigh << 32);

        public readonly bool KeyIsUnset => Sectors == 0;

        public bool IsDirty => (Volatile.Read(ref Flags) & (LinkedFlag | CleanFlag)) == LinkedFlag;

        public readonly bool Is(ulong key) => _keyLow == (uint)key && _keyHigh == (ushort)(key >> 32);

        public void Set(ulong key, byte sectors)
        {
            _keyLow = (uint)key;
            _keyHigh = (ushort)(key >> 32);
            Sectors = sectors;
        }
    }
}

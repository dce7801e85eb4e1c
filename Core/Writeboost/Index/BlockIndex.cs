using System;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;
using GrowingSlab = Weir.Native.GrowingSlab;
using Slab = Weir.Native.Slab;

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
/// Block to log slots, at most 16 bytes per slot: a node of 12 bytes for every slot of the cache and three bucket
/// heads of 4 bytes for every four slots.
/// <code>
///  node:  | next u32 | key low u32 | key high u16 | sectors u8 | flags u8 |      head: | latch 1 bit | slot 31 bits |
/// </code>
/// A block with partial writes has several nodes in its bucket's chain, in no order: a node's age is its log position.
/// A node stays only while it holds a sector that no newer node of its block holds, so a block has at most eight.
/// Protocol: a bucket is read and changed under its latch, the top bit of its head, for some dozen instructions; a
/// node belongs to its bucket's latch while linked, and to the writer that reserved the slot before that. A lookup
/// pins under the latch the segments it will read from the device, so that removal (under the same latch) and reuse
/// (after the pins are gone) cannot overtake it.
/// </summary>
public sealed unsafe partial class BlockIndex : IDisposable
{
    /// <summary>Most versions a lookup returns: eight disjoint sectors.</summary>
    public const int MaxVersions = 8;

    private const int Devices = 256;
    /// <summary>RAM that a cached block may cost, the segment table included, without and with checksums.</summary>
    public const int MaxBytesPerBlock = 16, MaxBytesPerVerifiedBlock = 20;

    private const uint Latch = 0x8000_0000;
    private const uint None = 0x7FFF_FFFF;
    private const long MostSlots = None;
    private const byte LinkedFlag = 1, RottenFlag = 2, CleanFlag = 4, PoisonFlag = 8, UnreadFlag = 16;
    private readonly GrowingSlab _nodeMemory;
    private readonly Slab _headMemory;
    private readonly GrowingSlab? _checksumMemory;
    private readonly Node* _nodes;
    private readonly uint* _heads;
    private readonly uint* _checksums;
    private readonly Geometry _geometry;
    private readonly uint _headCount;
    private readonly SegmentTable _table;
    private readonly int _slotShift;
    private readonly long[] _dirtyCounts = new long[Devices];

    /// <summary>
    /// An empty index over all slots of <paramref name="geometry"/>; with <paramref name="keepChecksums"/> it takes
    /// four bytes more per slot, so that every read can be checked.
    /// </summary>
    public BlockIndex(in Geometry geometry, SegmentTable table, bool keepChecksums)
    {
        Invariant.Check(geometry.SlotCount <= None);
        _table = table;
        _geometry = geometry;
        _slotShift = geometry.SlotShift;
        _headCount = HeadCount(geometry, keepChecksums);
        HeadBytes = (long)_headCount * sizeof(uint);
        if (keepChecksums)
        {
            _checksumMemory = new GrowingSlab(geometry.SlotCount * sizeof(uint), MostSlots * sizeof(uint));
            _checksums = (uint*)_checksumMemory.Start;
        }
        _nodeMemory = new GrowingSlab(geometry.SlotCount * sizeof(Node), MostSlots * sizeof(Node));
        _nodes = (Node*)_nodeMemory.Start;
        _headMemory = new Slab(HeadBytes);
        _heads = (uint*)_headMemory.Start;
        new Span<uint>(_heads, (int)_headCount).Fill(None);
    }

    /// <summary>
    /// Makes room for the slots of <paramref name="grown"/>; before the geometry knows of them. Its buckets stay as
    /// many as they are until the next start. False: there is no memory.
    /// </summary>
    public bool TryGrow(in Geometry grown) =>
        grown.SlotCount <= MostSlots && _nodeMemory.TryGrow(grown.SlotCount * sizeof(Node))
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

    /// <summary>Bytes of the bucket heads.</summary>
    public long HeadBytes { get; }

    /// <summary>Bytes of the checksums, when it keeps them.</summary>
    public long ChecksumBytes => KeepsChecksums ? _geometry.SlotCount * sizeof(uint) : 0;

    /// <summary>
    /// The versions of block <paramref name="key"/>, newest first, into <paramref name="versions"/> (room for
    /// <see cref="MaxVersions"/>). The caller unpins the segment of each whose Ram is -1.
    /// </summary>
    public int Lookup(ulong key, BlockVersion* versions)
    {
        uint* head = HeadOf(key);
        if (Volatile.Read(ref *head) == None) return 0;
        int count = 0;
        uint slot = Enter(head);
        uint first = slot;
        for (; slot != None; slot = _nodes[slot].Next)
        {
            if (!_nodes[slot].Is(key)) continue;
            Invariant.Check(count < MaxVersions);
            count = InsertSorted(versions, count, VersionOf(slot));
        }
        Interleaving.Step();
        for (int i = 0; i < count; i++) Pin(ref versions[i]);
        Exit(head, first);
        return count;
    }

    /// <summary>Position of the newest version of block <paramref name="key"/>; 0 when none.</summary>
    public long NewestPosition(ulong key)
    {
        uint* head = HeadOf(key);
        if (Volatile.Read(ref *head) == None) return 0;
        long newest = 0;
        uint first = Enter(head);
        for (uint slot = first; slot != None; slot = _nodes[slot].Next)
            if (_nodes[slot].Is(key)) newest = Math.Max(newest, _table.PositionOf(slot));
        Exit(head, first);
        return newest;
    }

    /// <summary>
    /// The sectors of block <paramref name="key"/> that versions at <paramref name="position"/> or behind it have.
    /// </summary>
    public byte SectorsFrom(ulong key, long position)
    {
        uint* head = HeadOf(key);
        if (Volatile.Read(ref *head) == None) return 0;
        byte sectors = 0;
        uint first = Enter(head);
        for (uint slot = first; slot != None; slot = _nodes[slot].Next)
            if (_nodes[slot].Is(key) && _table.PositionOf(slot) >= position) sectors |= _nodes[slot].Sectors;
        Exit(head, first);
        return sectors;
    }

    /// <summary>
    /// Brings the bucket of <paramref name="key"/> near the processor: for whoever has many blocks to enter, a few
    /// ahead.
    /// </summary>
    public void Prefetch(ulong key) => Sse.Prefetch0(HeadOf(key));

    /// <summary>The same for the first node of its chain, some time after <see cref="Prefetch"/>.</summary>
    public void PrefetchChain(ulong key)
    {
        uint first = Volatile.Read(ref *HeadOf(key)) & ~Latch;
        if (first != None) Sse.Prefetch0(&_nodes[first]);
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
        uint* head = HeadOf(key);
        uint first = Enter(head);
        Interleaving.Step();
        if (RottenCount > 0) first = YieldPoison(first, slot);
        node->Next = first;
        node->Flags = LinkedFlag;
        Interlocked.Increment(ref DirtyCountOf(key));
        Exit(head, Prune(slot, key, out FoundIn former));
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
        uint* head = HeadOf(key);
        uint first = Enter(head);
        bool enters = (!HasVersion(first, key) || Mutant.Is(SharedMutant.R10CleanBeatsDirty))
            && (changes == null || changes.IsUnchanged(sampleKey, sampled, sample));
        if (enters)
        {
            node->Next = first;
            node->Flags = LinkedFlag | CleanFlag;
        }
        Exit(head, enters ? Prune(slot, key, out _) : first);
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
        uint* head = HeadOf(key);
        node->Next = Enter(head);
        node->Flags = LinkedFlag | CleanFlag;
        Exit(head, Prune(slot, key, out _));
        Regions.Note(key);
    }

    /// <summary>
    /// Forgets the versions of block <paramref name="key"/> if the backing device has them all. False: it has not.
    /// </summary>
    public bool TryDropClean(ulong key, out bool dropped)
    {
        dropped = false;
        uint* head = HeadOf(key);
        if (Volatile.Read(ref *head) == None) return true;
        uint first = Enter(head);
        bool clean = true;
        for (uint slot = first; slot != None && clean; slot = _nodes[slot].Next)
            clean = !_nodes[slot].Is(key) || (_nodes[slot].Flags & CleanFlag) != 0;
        uint kept = first;
        for (uint slot = first; slot != None && clean;)
        {
            uint next = _nodes[slot].Next;
            dropped |= _nodes[slot].Is(key);
            if (_nodes[slot].Is(key)) kept = Unlink(kept, slot);
            slot = next;
        }
        Exit(head, kept);
        return clean;
    }

    /// <summary>Removes the version in <paramref name="slot"/> if it still counts.</summary>
    public void Remove(uint slot)
    {
        Node* node = &_nodes[slot];
        if (node->KeyIsUnset) return;
        uint* head = HeadOf(node->Key);
        uint first = Enter(head);
        if ((node->Flags & LinkedFlag) != 0) first = Unlink(first, slot);
        Exit(head, first);
    }

    /// <summary>
    /// The version in <paramref name="slot"/> is on the backing device now; it goes on serving reads. False: that was
    /// known, or it counts no more.
    /// </summary>
    public bool MarkClean(uint slot)
    {
        uint* head = HeadOf(_nodes[slot].Key);
        uint first = Enter(head);
        bool isNew = (_nodes[slot].Flags & (LinkedFlag | CleanFlag)) == LinkedFlag;
        if (isNew)
        {
            if ((_nodes[slot].Flags & RottenFlag) != 0) CountRotten(_nodes[slot].Key, -1);
            _nodes[slot].Flags |= CleanFlag;
            Interlocked.Decrement(ref DirtyCountOf(_nodes[slot].Key));
        }
        Exit(head, first);
        return isNew;
    }

    /// <summary>The version in <paramref name="slot"/> still has a sector that no newer version has.</summary>
    public bool IsLinked(uint slot) => (Volatile.Read(ref _nodes[slot].Flags) & LinkedFlag) != 0;

    /// <summary>
    /// The version in <paramref name="slot"/> if it counts and the backing device does not have it.
    /// </summary>
    public bool TryGetDirty(uint slot, out ulong key, out byte sectors)
    {
        (key, sectors) = (0, 0);
        if (!IsLinked(slot)) return false;
        uint* head = HeadOf(_nodes[slot].Key);
        uint first = Enter(head);
        bool dirty = (_nodes[slot].Flags & (LinkedFlag | CleanFlag)) == LinkedFlag;
        if (dirty) (key, sectors) = (_nodes[slot].Key, _nodes[slot].Sectors);
        Exit(head, first);
        return dirty;
    }

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
        _headMemory.Dispose();
        _checksumMemory?.Dispose();
        Regions.Dispose();
    }

    // Three for four slots; fewer in small segments, where the segment table and the header slots take their share of
    // the 16 or 20 bytes that each cached block may cost. Striped versions take up to an eighth of a byte.
    private static uint HeadCount(in Geometry geometry, bool keepChecksums)
    {
        int slots = geometry.SlotsPerSegment;
        int taken = SegmentTable.BytesPerSegment + (sizeof(Node) * slots) + (slots / 8);
        if (keepChecksums) taken += sizeof(uint) * slots;
        int room = ((keepChecksums ? MaxBytesPerVerifiedBlock : MaxBytesPerBlock) * (slots - 1)) - taken;
        int perSegment = Math.Min(slots * 3 / 4, room / sizeof(uint));
        return (uint)((long)geometry.SegmentCount * perSegment);
    }

    private ref long DirtyCountOf(ulong key) => ref _dirtyCounts[(byte)(key >> 40)];

    // Keys are dense and regular: a multiplicative hash spreads them, its high half times the count picks the head.
    private uint* HeadOf(ulong key)
    {
        ulong hash = (key ^ (key >> 29)) * 0x9E3779B97F4A7C15;
        hash ^= hash >> 32;
        return &_heads[Math.BigMul((uint)hash, _headCount) >> 32];
    }

    private static uint Enter(uint* head)
    {
        SpinWait spin = default;
        while (true)
        {
            uint value = Volatile.Read(ref *head);
            if ((value & Latch) == 0 && Interlocked.CompareExchange(ref *head, value | Latch, value) == value)
                return value;
            if (!Interleaving.Yield()) spin.SpinOnce(sleep1Threshold: -1);
        }
    }

    private static void Exit(uint* head, uint first) => Volatile.Write(ref *head, first);

    [StructLayout(LayoutKind.Sequential, Pack = 1, Size = 12)]
    private struct Node
    {
        public uint Next;
        private uint _keyLow;
        private ushort _keyHigh;
        public byte Sectors;
        public byte Flags;

        public readonly ulong Key => _keyLow | ((ulong)_keyHigh << 32);

        public readonly bool KeyIsUnset => Sectors == 0;

        public readonly bool Is(ulong key) => _keyLow == (uint)key && _keyHigh == (ushort)(key >> 32);

        public void Set(ulong key, byte sectors)
        {
            _keyLow = (uint)key;
            _keyHigh = (ushort)(key >> 32);
            Sectors = sectors;
        }
    }
}

using System;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Log;

/// <summary>
/// The RAM segments: a region that outlives the process (R1), so that what was acknowledged can be written to the log
/// by the next life.
/// <code>
///  0      head: magic, boot id, cache UUID, epoch, sizes, D; headers sealed last (layouts without epochs)
///  4096   per RAM segment: sequence i64, stamps u32[slots], entries 15 B [slots], rounded up to 4 KiB
///  ...    per RAM segment: slots x 4 KiB of data, slot 0 and other header slots for the record headers
/// </code>
/// A slot counts once its stamp equals its segment's: data and entry first, then the stamp. Stamps of an earlier use
/// differ, so opening a segment only stores its sequence.
/// </summary>
public sealed unsafe class RamSegments : IDisposable
{
    private const ulong MagicValue = 0x314D415252494557; // "WEIRRAM1"
    private const int HeadBytes = 4096, SealedOffset = 1024;

    /// <summary>Headers that are remembered: more than there are RAM segments in a layout without epochs.</summary>
    private const int SealedCount = 128;
    private const int BootIdBytes = 40;
    private readonly IRamRegion _region;
    private readonly int _slots;
    private readonly int _metaBytes;
    private readonly int _segmentBytes;

    private RamSegments(IRamRegion region, int segmentBytes, int count)
    {
        _region = region;
        _segmentBytes = segmentBytes;
        _slots = segmentBytes >> Geometry.BlockShift;
        _metaBytes = MetaBytes(_slots);
        Count = count;
    }

    /// <summary>RAM segments.</summary>
    public int Count { get; }

    /// <summary>First byte of all data, for registration with the ring.</summary>
    public byte* DataStart => _region.Pointer + HeadBytes + ((long)Count * _metaBytes);

    /// <summary>Bytes of all data.</summary>
    public long DataBytes => (long)Count * _segmentBytes;

    /// <summary>A new region for the life that begins with <paramref name="superblock"/>'s epoch.</summary>
    public static RamSegments Create(IRamStore store, string name, in Superblock superblock, int count)
    {
        long size = RegionBytes(superblock.SegmentBytes, count);
        IRamRegion region = store.Create(name, size);
        Head* head = (Head*)region.Pointer;
        head->CacheId = superblock.CacheId;
        head->Epoch = superblock.Epoch;
        head->SegmentBytes = superblock.SegmentBytes;
        head->Count = count;
        WriteBootId(head, store.BootId);
        RamSegments made = new(region, superblock.SegmentBytes, count);
        for (int i = 0; i < SealedCount; i++) made.SealedAt(i)->Segment = -1;
        Volatile.Write(ref head->Magic, MagicValue);
        return made;
    }

    /// <summary>
    /// What the life of <paramref name="superblock"/>'s epoch left behind in this boot, or null. Anything that does
    /// not match in every field is not ours and counts for nothing.
    /// </summary>
    public static RamSegments? Open(IRamStore store, string name, in Superblock superblock)
    {
        IRamRegion? region = store.Open(name);
        if (region == null) return null;
        Head* head = (Head*)region.Pointer;
        bool ours = region.SizeBytes >= HeadBytes
            && head->Magic == MagicValue
            && head->CacheId == superblock.CacheId
            && head->Epoch == superblock.Epoch
            && head->SegmentBytes == superblock.SegmentBytes
            && head->Count is > 0 and <= 4096
            && ReadBootId(head) == store.BootId
            && region.SizeBytes >= RegionBytes(head->SegmentBytes, head->Count);
        if (ours) return new RamSegments(region, head->SegmentBytes, head->Count);
        region.Dispose();
        return null;
    }

    /// <summary>
    /// The region's name in the store: the cache's UUID and which device holds it, because a copy of a cache has the
    /// same UUID and must not meet the original's memory.
    /// </summary>
    public static string NameOf(in Superblock superblock, string cacheIdentity)
    {
        byte[] identity = Encoding.UTF8.GetBytes(cacheIdentity);
        fixed (byte* bytes = identity) return $"{superblock.CacheId:D}-{Crc32C.Compute(bytes, identity.Length):x8}";
    }

    /// <summary>D as last noted: what a start need not write again (R6).</summary>
    public long DurablePosition
    {
        get => Volatile.Read(ref Header->DurablePosition);
        set => Volatile.Write(ref Header->DurablePosition, value);
    }

    /// <summary>
    /// Remembers the header of <paramref name="segment"/> before it is written. Layouts without epochs tell by it
    /// whether the log still ends where this memory knows it, or somebody else has gone on (R1).
    /// </summary>
    public void NoteSealed(long segment, uint headerChecksum)
    {
        SealedHeader* sealedHeader = SealedAt(segment);
        Volatile.Write(ref sealedHeader->Segment, -1);
        sealedHeader->Checksum = headerChecksum;
        Volatile.Write(ref sealedHeader->Segment, segment);
    }

    /// <summary>The last header of a log, or the header this life began behind, is one that was remembered.</summary>
    public bool HasSealed(long segment, uint headerChecksum) =>
        SealedAt(segment)->Segment == segment && SealedAt(segment)->Checksum == headerChecksum;

    /// <summary>Sequence of the segment in RAM segment <paramref name="ram"/>; 0 when it never held one.</summary>
    public long SequenceOf(int ram) => Volatile.Read(ref *(long*)Meta(ram));

    /// <summary>Makes RAM segment <paramref name="ram"/> the place of segment <paramref name="segment"/>.</summary>
    public void Assign(int ram, long segment) => Volatile.Write(ref *(long*)Meta(ram), segment);

    /// <summary>4 KiB of slot <paramref name="slot"/>.</summary>
    public byte* Data(int ram, int slot)
    {
        Invariant.Check((uint)ram < (uint)Count);
        Invariant.Check((uint)slot < (uint)_slots);
        return DataStart + ((long)ram * _segmentBytes) + ((long)slot << Geometry.BlockShift);
    }

    /// <summary>Entry of slot <paramref name="slot"/>; the caller publishes it.</summary>
    public LogEntry* Entry(int ram, int slot) =>
        (LogEntry*)(Meta(ram) + 64 + ((long)_slots * sizeof(uint))) + slot;

    /// <summary>The slot counts from now on: its bytes and its entry are complete.</summary>
    public void Publish(int ram, int slot, long segment) => Volatile.Write(ref Stamps(ram)[slot], StampOf(segment));

    /// <summary>The slot was filled for segment <paramref name="segment"/>.</summary>
    public bool IsPublished(int ram, int slot, long segment) =>
        Volatile.Read(ref Stamps(ram)[slot]) == StampOf(segment);

    /// <inheritdoc/>
    public void Dispose() => _region.Dispose();

    private static long RegionBytes(int segmentBytes, int count) =>
        HeadBytes + (count * ((long)MetaBytes(segmentBytes >> Geometry.BlockShift) + segmentBytes));

    private static int MetaBytes(int slots) => (64 + (slots * (sizeof(uint) + LogEntry.Bytes)) + 4095) & ~4095;

    // Odd, so that the zero of a fresh region is nobody's stamp.
    private static uint StampOf(long segment) => ((uint)segment << 1) | 1;

    private static void WriteBootId(Head* head, string bootId)
    {
        Invariant.Check(bootId.Length <= BootIdBytes);
        Encoding.ASCII.GetBytes(bootId, new Span<byte>(head->BootId, BootIdBytes));
    }

    private static string ReadBootId(Head* head) =>
        Encoding.ASCII.GetString(head->BootId, BootIdBytes).TrimEnd('\0');

    private Head* Header => (Head*)_region.Pointer;

    private SealedHeader* SealedAt(long segment) =>
        (SealedHeader*)(_region.Pointer + SealedOffset) + (segment % SealedCount);

    private byte* Meta(int ram)
    {
        Invariant.Check((uint)ram < (uint)Count);
        return _region.Pointer + HeadBytes + ((long)ram * _metaBytes);
    }

    private uint* Stamps(int ram) => (uint*)(Meta(ram) + 64);

    [StructLayout(LayoutKind.Sequential)]
    private struct Head
    {
        public ulong Magic;
        public Guid CacheId;
        public long Epoch;
        public int SegmentBytes;
        public int Count;
        public fixed byte BootId[BootIdBytes];
        public long DurablePosition;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct SealedHeader
    {
        public long Segment;
        public uint Checksum;
    }
}

using System;
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
///  0      head, see <see cref="RamHead"/>
///  4096   per RAM segment: sequence i64, zero up to 64; stamps u32[slots]; entries 15 B [slots]; zero up to 4 KiB
///  ...    per RAM segment: slots x 4 KiB of data, slot 0 and other header slots for the record headers
/// </code>
/// A slot counts once its stamp equals its segment's, 2 x sequence + 1: data and entry first, then the stamp. Stamps of
/// an earlier use differ, so opening a segment only stores its sequence.
/// </summary>
public sealed unsafe class RamSegments : IDisposable
{
    private const int StampsOffset = 64;

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
    public byte* DataStart => _region.Pointer + RamHead.Bytes + ((long)Count * _metaBytes);

    /// <summary>Bytes of all data.</summary>
    public long DataBytes => (long)Count * _segmentBytes;

    /// <summary>The memory itself.</summary>
    public IRamRegion Region => _region;

    /// <summary>A new region for the life that begins with <paramref name="superblock"/>'s epoch.</summary>
    /// <exception cref="UserErrorException">There is no place for it.</exception>
    public static RamSegments Create(
        IRamStore store, string name, in Superblock superblock, int count, string cachePath = "")
    {
        IRamRegion region = store.Create(name, RegionBytes(superblock.SegmentBytes, count));
        RamHead* head = (RamHead*)region.Pointer;
        head->CacheId = superblock.CacheId;
        head->Epoch = superblock.Epoch;
        head->SegmentBytes = superblock.SegmentBytes;
        head->Count = count;
        head->BootText = store.BootId;
        head->Version = RamHead.VersionValue;
        head->CachePathText = cachePath;
        RamSegments made = new(region, superblock.SegmentBytes, count);
        for (int i = 0; i < RamHead.SealedCount; i++) made.SealedAt(i)->Segment = -1;
        Invariant.Check(head->IsConsistent);
        Volatile.Write(ref head->Magic, RamHead.MagicValue);
        return made;
    }

    /// <summary>RAM segments that fit into a region of <paramref name="roomBytes"/>.</summary>
    public static long CountThatFits(int segmentBytes, long roomBytes) =>
        (roomBytes - RamHead.Bytes) / (RegionBytes(segmentBytes, 1) - RamHead.Bytes);

    /// <summary>
    /// As <see cref="Open"/>, in the folder too that the superblock names.
    /// </summary>
    public static RamSegments? Find(IRamStore store, string name, in Superblock superblock, Action<string> log)
    {
        string folder = superblock.HasRam(store.BootId) ? superblock.RamFolderText : "";
        if (folder.Length > 0) store.AlsoSearch(folder);
        return Open(store, name, superblock, log);
    }

    /// <summary>
    /// What the life of <paramref name="superblock"/>'s epoch left behind in this boot, or null. What is of another
    /// life counts for nothing.
    /// </summary>
    /// <exception cref="UserErrorException">It is of that life, and of a version that is not known.</exception>
    public static RamSegments? Open(IRamStore store, string name, in Superblock superblock, Action<string> log)
    {
        RamSegments? found = null;
        foreach (IRamRegion region in store.Open(name))
        {
            if (found == null && IsOf(region, superblock, store.BootId, log))
            {
                RamHead* head = (RamHead*)region.Pointer;
                found = new RamSegments(region, head->SegmentBytes, head->Count);
            }
            else
            {
                region.Dispose();
            }
        }
        return found;
    }

    private static bool IsOf(IRamRegion region, in Superblock superblock, string bootId, Action<string> log)
    {
        if (region.SizeBytes < RamHead.Bytes)
        {
            log($"{region.Place}: has {region.SizeBytes} bytes, less than the head of memory: not used");
            return false;
        }
        RamHead* head = (RamHead*)region.Pointer;
        if (head->Magic == 0) return false;
        if (!head->IsWeirs)
        {
            log($"{region.Place}: does not begin as memory of Weir's: not used");
            return false;
        }
        if (head->CacheId != superblock.CacheId || head->Epoch != superblock.Epoch || head->BootText != bootId)
            return false;
        if (!head->IsKnown)
            throw new UserErrorException($"{region.Place}: memory of version {head->VersionText}, this weir knows "
                + $"{RamHead.VersionValue}; it may hold what was acknowledged: start once with the weir that made it");
        bool isWhole = head->IsConsistent && head->SegmentBytes == superblock.SegmentBytes
            && region.SizeBytes >= RegionBytes(head->SegmentBytes, head->Count);
        if (!isWhole)
            log($"{region.Place}: is not whole ({region.SizeBytes} bytes, {head->Count} RAM segments of "
                + $"{head->SegmentBytes} bytes): what was acknowledged and not yet in the log is lost");
        return isWhole;
    }

    /// <summary>
    /// The last life acknowledged writes from memory, in this boot, so that there is no reboot that explains it, and
    /// <paramref name="store"/> does not have it. A start that was cut short has everything in the log, and memory of
    /// the epoch that it was about to begin.
    /// </summary>
    public static bool IsMissed(IRamStore store, string name, in Superblock superblock)
    {
        if (superblock.IsClean || !superblock.HasRam(store.BootId)) return false;
        Superblock next = superblock;
        next.Epoch++;
        using RamSegments? begun = Open(store, name, next, static _ => { });
        return begun == null;
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
        (LogEntry*)(Meta(ram) + StampsOffset + ((long)_slots * sizeof(uint))) + slot;

    /// <summary>The slot counts from now on: its bytes and its entry are complete.</summary>
    public void Publish(int ram, int slot, long segment) => Volatile.Write(ref Stamps(ram)[slot], StampOf(segment));

    /// <summary>The slot was filled for segment <paramref name="segment"/>.</summary>
    public bool IsPublished(int ram, int slot, long segment) =>
        Volatile.Read(ref Stamps(ram)[slot]) == StampOf(segment);

    /// <inheritdoc/>
    public void Dispose() => _region.Dispose();

    private static long RegionBytes(int segmentBytes, int count) =>
        RamHead.Bytes + (count * ((long)MetaBytes(segmentBytes >> Geometry.BlockShift) + segmentBytes));

    private static int MetaBytes(int slots) =>
        (StampsOffset + (slots * (sizeof(uint) + LogEntry.Bytes)) + 4095) & ~4095;

    // Odd, so that the zero of a fresh region is nobody's stamp.
    private static uint StampOf(long segment) => ((uint)segment << 1) | 1;

    private RamHead* Header => (RamHead*)_region.Pointer;

    private SealedHeader* SealedAt(long segment) =>
        (SealedHeader*)Header->Sealed + (segment % RamHead.SealedCount);

    private byte* Meta(int ram)
    {
        Invariant.Check((uint)ram < (uint)Count);
        return _region.Pointer + RamHead.Bytes + ((long)ram * _metaBytes);
    }

    private uint* Stamps(int ram) => (uint*)(Meta(ram) + StampsOffset);
}

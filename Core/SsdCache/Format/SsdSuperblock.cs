using System;
using System.Runtime.InteropServices;
using System.Text;
using Weir.Core.Base;

namespace Weir.Core.SsdCache.Format;

/// <summary>
/// What a set-associative cache is, 4 KiB, little endian; copies at byte 0 and at 4096. They are written one after the
/// other with a flush between, so that one is whole at any moment.
/// <code>
///    0  magic "WEIRSSD1"           u64
///    8  version                    u32   1
///   12  flags                      u32   bit 0: the last stop was orderly; bit 1: a flush of the cache device has
///                                        failed; bit 2: a flush of the backing device has failed
///   16  cache UUID                 16 bytes
///   32  generation                 u64   rises with every update
///   40  epoch                      u64   rises with every start
///   48  bytes of a block           u32   a power of two, 4 KiB to 1 MiB
///   52  further sets tried         u32   assoc of the last life, 0 to 16
///   56  sets                       u64
///   64  data offset                u64   where the places begin
///   72  mode of the last life      u32   1 writethrough, 2 writeback, 3 readcache; 0: none served it yet
///   76  zero                       u32
///   80  bytes of the backing device u64  when it was last served; 0: never
///   88  name of the cache device   u64   a hash, see <see cref="NameHash"/>; 0: not known
///   96  name of the backing device u64
///  104  boot                       40 bytes of ASCII, zero behind: id of the boot in which this epoch acknowledges
///                                        from memory that outlives the process; empty: it does not
///  144  memory's folder            120 bytes of UTF-8, zero behind; empty: it does not fit
///  264  zero
/// 4092  checksum                   u32   CRC32C of bytes 0..4091
/// </code>
/// </summary>
[StructLayout(LayoutKind.Explicit, Pack = 1, Size = Bytes)]
internal unsafe struct SsdSuperblock
{
    /// <summary>Size on disk, and where the second copy lies.</summary>
    public const int Bytes = 4096;
    /// <summary>Byte offset of a copy.</summary>
    public const long CopyAOffset = 0, CopyBOffset = Bytes;
    /// <summary>"WEIRSSD1", little endian.</summary>
    public const ulong MagicValue = 0x3144535352494557;
    /// <summary>Format version.</summary>
    public const uint VersionValue = 1;
    /// <summary>Numbers that only rise stay below it: nothing rises so far, and one more always fits.</summary>
    public const long MaxNumber = 1L << 62;
    /// <summary>Bits of <see cref="Flags"/>.</summary>
    public const uint CleanFlag = 1, LostCacheFlushFlag = 2, LostBackingFlushFlag = 4;
    /// <summary>Room for texts.</summary>
    public const int BootIdMax = 40, RamFolderMax = 120;
    private const uint KnownFlags = CleanFlag | LostCacheFlushFlag | LostBackingFlushFlag;
    private const int ChecksumOffset = 4092;

    /// <summary>See the picture.</summary>
    [FieldOffset(0)] public ulong Magic;
    /// <summary>See the picture.</summary>
    [FieldOffset(8)] public uint Version;
    /// <summary>See the picture.</summary>
    [FieldOffset(12)] public uint Flags;
    /// <summary>This cache, and no other.</summary>
    [FieldOffset(16)] public Guid CacheId;
    /// <summary>The newer copy has the larger.</summary>
    [FieldOffset(32)] public long Generation;
    /// <summary>Lives so far.</summary>
    [FieldOffset(40)] public long Epoch;
    /// <summary>See the picture.</summary>
    [FieldOffset(48)] public int BlockBytes;
    /// <summary>See the picture.</summary>
    [FieldOffset(52)] public int Assoc;
    /// <summary>See the picture.</summary>
    [FieldOffset(56)] public long Sets;
    /// <summary>See the picture.</summary>
    [FieldOffset(64)] public long DataOffset;
    /// <summary>See the picture; 0: nobody has served it yet.</summary>
    [FieldOffset(72)] public SsdMode Mode;
    [FieldOffset(76)] private uint _zero76;
    /// <summary>See the picture.</summary>
    [FieldOffset(80)] public long BackingBytes;
    /// <summary>See the picture.</summary>
    [FieldOffset(88)] public ulong CacheName;
    /// <summary>See the picture.</summary>
    [FieldOffset(96)] public ulong BackingName;
    [FieldOffset(104)] private fixed byte _bootId[BootIdMax];
    [FieldOffset(144)] private fixed byte _ramFolder[RamFolderMax];
    [FieldOffset(264)] private fixed byte _zero264[ChecksumOffset - 264];
    /// <summary>CRC32C of everything before it.</summary>
    [FieldOffset(ChecksumOffset)] public uint Checksum;

    /// <summary>The last stop was orderly: every page is closed and says what is so.</summary>
    public readonly bool IsClean => (Flags & CleanFlag) != 0;

    /// <summary>A flush of one of the devices has failed: nothing clean is trusted (B6).</summary>
    public readonly bool HasLostFlush => (Flags & (LostCacheFlushFlag | LostBackingFlushFlag)) != 0;

    /// <summary>
    /// Its fields can be true of a cache: asserted before it is written, asked after it was read.
    /// </summary>
    public readonly bool IsConsistent =>
        (Flags & ~KnownFlags) == 0 && Generation is >= 0 and < MaxNumber && Epoch is >= 0 and < MaxNumber
        && BackingBytes >= 0
        && Assoc is >= 0 and <= SsdGeometry.MaxAssoc && Mode <= SsdMode.Readcache
        && SsdGeometry.IsPossible(BlockBytes, Sets, DataOffset) && BackingBytes <= SsdGeometry.MaxBlocks * BlockBytes;

    /// <summary>Id of the boot in which memory outlives the process; empty: it does not.</summary>
    public string BootId
    {
        readonly get
        {
            fixed (byte* bytes = _bootId) return TextOf(new ReadOnlySpan<byte>(bytes, BootIdMax));
        }
        set
        {
            fixed (byte* bytes = _bootId) SetText(new Span<byte>(bytes, BootIdMax), value);
        }
    }

    /// <summary>Where that memory is; empty when that is not known.</summary>
    public string RamFolder
    {
        readonly get
        {
            fixed (byte* bytes = _ramFolder) return TextOf(new ReadOnlySpan<byte>(bytes, RamFolderMax));
        }
        set
        {
            fixed (byte* bytes = _ramFolder) SetText(new Span<byte>(bytes, RamFolderMax), value);
        }
    }

    /// <summary>That of a new cache, which nobody has served yet.</summary>
    public static SsdSuperblock New(SsdGeometry geometry, Guid cacheId, string cacheName) => new()
    {
        Magic = MagicValue,
        Version = VersionValue,
        Flags = CleanFlag,
        CacheId = cacheId,
        BlockBytes = geometry.BlockBytes,
        Sets = geometry.Sets,
        DataOffset = geometry.DataOffset,
        CacheName = NameHash.Of(cacheName),
    };

    /// <summary>Fills <see cref="Checksum"/>.</summary>
    public static void Seal(SsdSuperblock* superblock)
    {
        Invariant.Check(superblock->IsConsistent);
        superblock->Checksum = Crc32C.Compute((byte*)superblock, ChecksumOffset);
    }

    /// <summary>Magic and checksum are right: somebody has written it like this.</summary>
    public static bool IsIntact(SsdSuperblock* superblock) =>
        superblock->Magic == MagicValue && superblock->Checksum == Crc32C.Compute((byte*)superblock, ChecksumOffset);

    // What does not fit is not kept: half a name would be another name.
    private static void SetText(Span<byte> to, string value)
    {
        to.Clear();
        if (Encoding.UTF8.GetByteCount(value) <= to.Length) Encoding.UTF8.GetBytes(value, to);
    }

    private static string TextOf(ReadOnlySpan<byte> from)
    {
        int end = from.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end >= 0 ? from[..end] : from);
    }
}

using System;
using System.Runtime.InteropServices;
using Weir.Core.Base;
using Weir.Core.Metadata.Persistent;

namespace Weir.Core.DmCache.Format;

/// <summary>
/// Block 0 of the metadata, little endian (dm-cache: <c>cache_disk_superblock</c>; versions 1 and 2). It fits one
/// sector, which is written as a whole; the rest of the block is zero, and covered by the checksum.
/// <code>
///    0  checksum                    u32
///    4  flags                       u32   bit 0: clean shutdown, bit 1: needs check
///    8  block number                u64   0
///   16  uuid                        16 bytes, zero
///   32  magic 0x18C403              u64
///   40  version                     u32   1 or 2
///   44  policy name                 16 bytes, zero padded
///   60  hint bytes                  u32
///   64  space map root              128 bytes
///  192  mapping root                u64
///  200  hint root                   u64   0: none
///  208  discard root                u64
///  216  sectors of a discard block  u64
///  224  discard blocks              u64
///  232  sectors of a cache block    u32
///  236  sectors of a metadata block u32   8
///  240  cache blocks                u32
///  244  features                    3 * u32   compatible, compatible when read only, incompatible
///  256  statistics                  4 * u32   read hits, read misses, write hits, write misses
///  272  policy version              3 * u32
///  284  dirty root                  u64   version 2 only
///  292  zero
///  448  weir's mark                 64 bytes, below
/// </code>
/// The mark of weir's: what the kernel does not know, and keeps when it writes the superblock. It counts when its sum
/// is right, so not after anybody else has written.
/// <code>
///  448  "WEIRDMC1"                  u64
///  456  identity of the cache       16 bytes
///  472  flags                       u32   bit 0: clean blocks of another writer are in doubt still
///                                         bit 1: a flush of the cache device has failed
///  476  zero
///  480  name of the cache device    u64   a hash, see <see cref="NameHash"/>; 0: not known
///  488  name of the backing device  u64
///  496  zero
///  508  CRC-32C of bytes 4..507     u32
/// </code>
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = Bytes)]
internal unsafe struct DiskSuperblock
{
    /// <summary>Bytes that are in use.</summary>
    public const int Bytes = 512;
    /// <summary>The magic number, which the kernel writes in octal: 06142003.</summary>
    public const ulong MagicValue = 0x18C403;
    /// <summary>"WEIRDMC1", little endian.</summary>
    public const ulong MarkMagicValue = 0x31434D4452494557;
    /// <summary>Bits of <see cref="Flags"/>.</summary>
    public const uint CleanFlag = 1, NeedsCheckFlag = 2;
    /// <summary>Bits of <see cref="MarkFlags"/>.</summary>
    public const uint InDoubtFlag = 1, LostFlushFlag = 2;
    /// <summary>Room for the policy's name.</summary>
    public const int NameBytes = 16;
    /// <summary>Where the mark begins, and its sum.</summary>
    public const int MarkOffset = 448, MarkSumOffset = 508;

    /// <summary>How it is checked.</summary>
    public static BlockKind Kind { get; } = new("superblock", 9031977, 8);

    /// <summary>See the picture.</summary>
    [FieldOffset(0)] public uint Checksum;
    /// <summary>See the picture.</summary>
    [FieldOffset(4)] public uint Flags;
    /// <summary>See the picture.</summary>
    [FieldOffset(8)] public long Number;
    /// <summary>See the picture.</summary>
    [FieldOffset(16)] public Guid Uuid;
    /// <summary>See the picture.</summary>
    [FieldOffset(32)] public ulong Magic;
    /// <summary>See the picture.</summary>
    [FieldOffset(40)] public uint Version;
    /// <summary>See the picture.</summary>
    [FieldOffset(44)] public fixed byte PolicyName[NameBytes];
    /// <summary>See the picture.</summary>
    [FieldOffset(60)] public uint HintBytes;
    /// <summary>See the picture.</summary>
    [FieldOffset(64)] public SpaceMapRoot SpaceMap;
    /// <summary>See the picture.</summary>
    [FieldOffset(192)] public long MappingRoot;
    /// <summary>See the picture.</summary>
    [FieldOffset(200)] public long HintRoot;
    /// <summary>See the picture.</summary>
    [FieldOffset(208)] public long DiscardRoot;
    /// <summary>See the picture.</summary>
    [FieldOffset(216)] public long DiscardBlockSectors;
    /// <summary>See the picture.</summary>
    [FieldOffset(224)] public long DiscardBlocks;
    /// <summary>See the picture.</summary>
    [FieldOffset(232)] public uint BlockSectors;
    /// <summary>See the picture.</summary>
    [FieldOffset(236)] public uint MetadataBlockSectors;
    /// <summary>See the picture.</summary>
    [FieldOffset(240)] public uint Places;
    /// <summary>See the picture.</summary>
    [FieldOffset(244)] public uint Compatible;
    /// <summary>See the picture.</summary>
    [FieldOffset(248)] public uint CompatibleReadOnly;
    /// <summary>See the picture.</summary>
    [FieldOffset(252)] public uint Incompatible;
    /// <summary>See the picture.</summary>
    [FieldOffset(256)] public uint ReadHits;
    /// <summary>See the picture.</summary>
    [FieldOffset(260)] public uint ReadMisses;
    /// <summary>See the picture.</summary>
    [FieldOffset(264)] public uint WriteHits;
    /// <summary>See the picture.</summary>
    [FieldOffset(268)] public uint WriteMisses;
    /// <summary>See the picture.</summary>
    [FieldOffset(272)] public uint PolicyMajor;
    /// <summary>See the picture.</summary>
    [FieldOffset(276)] public uint PolicyMinor;
    /// <summary>See the picture.</summary>
    [FieldOffset(280)] public uint PolicyPatch;
    /// <summary>See the picture; not on a boundary of its size.</summary>
    [FieldOffset(284)] public fixed byte DirtyRootBytes[sizeof(long)];
    /// <summary>See the picture.</summary>
    [FieldOffset(448)] public ulong MarkMagic;
    /// <summary>See the picture.</summary>
    [FieldOffset(456)] public Guid MarkCache;
    /// <summary>See the picture.</summary>
    [FieldOffset(472)] public uint MarkFlags;
    /// <summary>See the picture.</summary>
    [FieldOffset(480)] public ulong MarkCacheName;
    /// <summary>See the picture.</summary>
    [FieldOffset(488)] public ulong MarkBackingName;
    /// <summary>See the picture.</summary>
    [FieldOffset(508)] public uint MarkSum;

    /// <summary>Root of the dirty bitset.</summary>
    public long DirtyRoot
    {
        readonly get
        {
            fixed (byte* bytes = DirtyRootBytes) return MemoryMarshal.Read<long>(new ReadOnlySpan<byte>(bytes, 8));
        }
        set
        {
            fixed (byte* bytes = DirtyRootBytes) MemoryMarshal.Write(new Span<byte>(bytes, sizeof(long)), value);
        }
    }

    /// <summary>The mark is whole: weir was the last to write this.</summary>
    public readonly bool IsMarked => MarkMagic == MarkMagicValue
        && (MarkSum == SumOf() || Mutant.Is(DmCacheMutant.B14ForeignMarkTrusted));

    /// <summary>What the sum of the mark should be.</summary>
    public readonly uint SumOf()
    {
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(new ReadOnlySpan<DiskSuperblock>(in this));
        return Crc32C.Compute(bytes[sizeof(uint)..MarkSumOffset]);
    }
}

using System;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;
using Weir.Core.Base;

namespace Weir.Core.Writeboost.Format;

/// <summary>
/// The head of memory that outlives the process, 4 KiB, little endian: what a later weir, perhaps a newer one, must
/// know to finish what a dead one had acknowledged. The first 92 bytes mean the same in every version.
/// <code>
///    0  magic "WEIRRAM1"           u64   stored last: without it the process died while it made the memory
///    8  cache UUID                 16 bytes
///   24  epoch                      u64   of the superblock in this life; 0 in layouts without epochs
///   32  segment bytes              u32
///   36  RAM segments               u32
///   40  boot id                    36 characters, 4 zero bytes
///   80  durable position           u64   D as last noted
///   88  version                    u32   1; 0: written before there was a version, the same but for what follows
///   92  length of the cache's path u32   bytes; 0: not known
///   96  the cache's path           512 bytes of UTF-8, cut to that
///  608  zero
/// 1024  headers sealed last        128 times: segment i64, header checksum u32, zero u32; segment s at s mod 128,
///                                  -1: none
/// 3072  zero
/// </code>
/// </summary>
[StructLayout(LayoutKind.Explicit, Pack = 1, Size = Bytes)]
public unsafe struct RamHead
{
    /// <summary>Size in memory.</summary>
    public const int Bytes = 4096;
    /// <summary>"WEIRRAM1", little endian.</summary>
    public const ulong MagicValue = 0x314D415252494557;
    /// <summary>The version that this weir writes, and the newest that it reads.</summary>
    public const uint VersionValue = 1;
    /// <summary>Characters of a boot id, and what follows them.</summary>
    public const int BootIdBytes = 40;
    /// <summary>Room for the cache's path.</summary>
    public const int CachePathMax = 512;
    /// <summary>Headers that are remembered: more than there are RAM segments in a layout without epochs.</summary>
    public const int SealedCount = 128;

    private const int SealedOffset = 1024, SealedEnd = SealedOffset + (SealedCount * SealedHeader.Bytes);

    /// <summary>Most RAM segments.</summary>
    public const int CountMax = 4096;

    // All but the last character of the magic: memory of Weir's, of whatever kind.
    private const ulong FamilyMask = 0x00FFFFFFFFFFFFFF;

    /// <summary>See the picture.</summary>
    [FieldOffset(0)] public ulong Magic;
    /// <summary>See the picture.</summary>
    [FieldOffset(8)] public Guid CacheId;
    /// <summary>See the picture.</summary>
    [FieldOffset(24)] public long Epoch;
    /// <summary>See the picture.</summary>
    [FieldOffset(32)] public int SegmentBytes;
    /// <summary>RAM segments.</summary>
    [FieldOffset(36)] public int Count;
    /// <summary>See the picture.</summary>
    [FieldOffset(40)] public fixed byte BootId[BootIdBytes];
    /// <summary>D as last noted.</summary>
    [FieldOffset(80)] public long DurablePosition;
    /// <summary>See the picture.</summary>
    [FieldOffset(88)] public uint Version;
    /// <summary>Bytes of <see cref="CachePath"/>.</summary>
    [FieldOffset(92)] public int CachePathBytes;
    /// <summary>Where the cache was when this life began.</summary>
    [FieldOffset(96)] public fixed byte CachePath[CachePathMax];
    [FieldOffset(608)] private fixed byte _zero608[SealedOffset - 608];
    /// <summary>See the picture; <see cref="SealedHeader"/>s.</summary>
    [FieldOffset(SealedOffset)] public fixed byte Sealed[SealedCount * SealedHeader.Bytes];
    [FieldOffset(SealedEnd)] private fixed byte _zero3072[Bytes - SealedEnd];

    /// <summary>The magic is that of Weir's memory, though perhaps not one that this weir knows.</summary>
    public readonly bool IsWeirs => (Magic & FamilyMask) == (MagicValue & FamilyMask);

    /// <summary>
    /// Its fields can be true of memory: asserted before the magic is stored, asked of memory that was found.
    /// </summary>
    public readonly bool IsConsistent => Count is > 0 and <= CountMax
        && SegmentBytes is >= Geometry.MinSegmentBytes and <= Geometry.MaxSegmentBytes
        && BitOperations.IsPow2(SegmentBytes)
        && Epoch >= 0 && DurablePosition >= 0
        && (uint)CachePathBytes <= CachePathMax;

    /// <summary>This weir can read it.</summary>
    public readonly bool IsKnown => Magic == MagicValue && Version <= VersionValue;

    /// <summary>What there is in the place of a version, for messages.</summary>
    public readonly string VersionText => Magic == MagicValue ? $"{Version}" : $"'{(char)(Magic >> 56)}'";

    /// <summary>See the picture.</summary>
    public string BootText
    {
        readonly get
        {
            fixed (byte* bytes = BootId) return Encoding.ASCII.GetString(bytes, BootIdBytes).TrimEnd('\0');
        }
        set
        {
            Invariant.Check(value.Length <= BootIdBytes);
            fixed (byte* bytes = BootId) Encoding.ASCII.GetBytes(value, new Span<byte>(bytes, BootIdBytes));
        }
    }

    /// <summary>See the picture; empty when it is not known.</summary>
    public string CachePathText
    {
        readonly get
        {
            fixed (byte* bytes = CachePath)
                return Encoding.UTF8.GetString(bytes, Math.Clamp(CachePathBytes, 0, CachePathMax));
        }
        set
        {
            fixed (byte* bytes = CachePath)
            {
                Encoding.UTF8.GetEncoder().Convert(
                    value, new Span<byte>(bytes, CachePathMax), true, out _, out int used, out _);
                CachePathBytes = used;
            }
        }
    }
}

/// <summary>A header that was about to be written, in <see cref="RamHead.Sealed"/>.</summary>
[StructLayout(LayoutKind.Explicit, Pack = 1, Size = Bytes)]
internal struct SealedHeader
{
    /// <summary>Size in memory.</summary>
    public const int Bytes = 16;
    /// <summary>See <see cref="RamHead"/>.</summary>
    [FieldOffset(0)] public long Segment;
    /// <summary>See <see cref="RamHead"/>.</summary>
    [FieldOffset(8)] public uint Checksum;
    [FieldOffset(12)] private uint _zero12;
}

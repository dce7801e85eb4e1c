using System;
using System.Runtime.InteropServices;
using Weir.Core.Base;

namespace Weir.Core.Writeboost.Format;

/// <summary>
/// The first 4 KiB of a record in layout <c>native</c>, little endian. The record's slots follow: slot i+1 of the
/// record belongs to entry i.
/// <code>
///    0  magic "WEIRLOG1"          u64
///    8  version, entry count      u32, u16 (+ u16 zero)
///   16  cache UUID                16 bytes
///   32  nonce of the epoch        16 bytes, secret
///   48  epoch                     u64
///   56  sequence                  u64   1, 2, 3 ... without a gap
///   64  position                  u64   where this header lies in the endless log
///   72  durable position          u64   D when this was written: everything below had been flushed
///   80  previous header's checksum u32
///   84  segments                  u32   what a lost superblock is rebuilt from, down to the secret
///   88  segment bytes             u32
///   92  placement offset          u32
///   96  mark                      u64   as known when this was written: at most the superblock's
///  104  secret                    16 bytes
///  120  zero
///  256  entries                   255 x 15 bytes
/// 4081  zero
/// 4092  checksum                  u32   CRC32C of bytes 0..4091
/// </code>
/// </summary>
[StructLayout(LayoutKind.Explicit, Pack = 1, Size = Bytes)]
public unsafe struct RecordHeader
{
    /// <summary>Size on disk.</summary>
    public const int Bytes = 4096;
    /// <summary>"WEIRLOG1", little endian.</summary>
    public const ulong MagicValue = 0x31474F4C52494557;
    /// <summary>Format version.</summary>
    public const uint VersionValue = 2;
    /// <summary>Most entries.</summary>
    public const int MaxEntries = 255;
    private const int EntriesOffset = 256, EntriesEnd = EntriesOffset + (MaxEntries * LogEntry.Bytes);
    private const int ChecksumOffset = 4092;

    /// <summary>See the picture.</summary>
    [FieldOffset(0)] public ulong Magic;
    /// <summary>See the picture.</summary>
    [FieldOffset(8)] public uint Version;
    /// <summary>Entries that count.</summary>
    [FieldOffset(12)] public ushort EntryCount;
    [FieldOffset(14)] private ushort _zero14;
    /// <summary>Which cache.</summary>
    [FieldOffset(16)] public Guid CacheId;
    /// <summary>The epoch's secret: client data cannot imitate a header without it.</summary>
    [FieldOffset(32)] public Guid Nonce;
    /// <summary>The life of the program that wrote this.</summary>
    [FieldOffset(48)] public long Epoch;
    /// <summary>Number of the record.</summary>
    [FieldOffset(56)] public long Sequence;
    /// <summary>Where it lies.</summary>
    [FieldOffset(64)] public long Position;
    /// <summary>D as known when it was written.</summary>
    [FieldOffset(72)] public long DurablePosition;
    /// <summary>The chain: checksum of the header with the sequence before.</summary>
    [FieldOffset(80)] public uint PreviousChecksum;
    /// <summary>As in the superblock.</summary>
    [FieldOffset(84)] public int SegmentCount;
    /// <summary>As in the superblock.</summary>
    [FieldOffset(88)] public int SegmentBytes;
    /// <summary>As in the superblock.</summary>
    [FieldOffset(92)] public int PlacementOffset;
    /// <summary>Everything below was on the backing device when it was written.</summary>
    [FieldOffset(96)] public long MarkPosition;
    /// <summary>As in the superblock; no client ever reads a header.</summary>
    [FieldOffset(104)] public Guid Secret;
    [FieldOffset(120)] private fixed byte _zero120[EntriesOffset - 120];
    [FieldOffset(EntriesOffset)] private fixed byte _entries[MaxEntries * LogEntry.Bytes];
    [FieldOffset(EntriesEnd)] private fixed byte _zero4081[ChecksumOffset - EntriesEnd];
    /// <summary>CRC32C of everything before it.</summary>
    [FieldOffset(ChecksumOffset)] public uint Checksum;

    /// <summary>Position after the record.</summary>
    public readonly long EndPosition => Position + 1 + EntryCount;

    /// <summary>
    /// Its fields can be true of a record: asked of what was read, asserted of what is to be written. Of its entries
    /// each is asked by itself, <see cref="LogEntry.IsConsistent"/>.
    /// </summary>
    public readonly bool IsConsistent => EntryCount is > 0 and <= MaxEntries
        && Sequence > 0 && Position > 0 && Epoch >= 0
        && DurablePosition <= Position && MarkPosition <= Position;

    /// <summary>The entries of the header at <paramref name="header"/>.</summary>
    public static LogEntry* Entries(RecordHeader* header) => (LogEntry*)((byte*)header + EntriesOffset);

    /// <summary>Those that count.</summary>
    public static ReadOnlySpan<LogEntry> EntriesOf(RecordHeader* header) => new(Entries(header), header->EntryCount);

    /// <summary>CRC32C that <paramref name="header"/> should carry.</summary>
    public static uint ComputeChecksum(RecordHeader* header) => Crc32C.Compute((byte*)header, ChecksumOffset);

    /// <summary>
    /// The bytes at <paramref name="header"/> are a whole header of this cache, written in epoch
    /// <see cref="Epoch"/> at most <paramref name="superblock"/>'s, for the place <paramref name="position"/>.
    /// </summary>
    public static bool IsValid(RecordHeader* header, in Superblock superblock, long position) =>
        header->Magic == MagicValue
        && header->Version == VersionValue
        && header->Position == position
        && header->CacheId == superblock.CacheId
        && header->IsConsistent
        && header->Epoch <= superblock.Epoch
        && header->Checksum == ComputeChecksum(header)
        && (Mutant.Is(WriteboostMutant.R4IgnoreNonce) || header->Nonce == superblock.NonceOf(header->Epoch));
}

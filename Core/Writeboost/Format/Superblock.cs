using System;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;
using Weir.Core.Base;

namespace Weir.Core.Writeboost.Format;

/// <summary>
/// Superblock of layout <c>native</c>, 4 KiB, little endian; copy A at byte 0, copy B at 512 KiB. Both are always
/// written one after the other with a flush between, so at least one is whole.
/// <code>
///    0  magic "WEIRSB01"           u64
///    8  version                    u32
///   12  flags                      u32   bit 0: clean stop
///   16  cache UUID                 16 bytes
///   32  secret                     16 bytes; the epochs' nonces come from it
///   48  generation                 u64   rises with every update
///   56  epoch                      u64   rises with every start
///   64  segment bytes, count       u32, u32
///   72  mark                       u64   position: everything below is on the backing device
///   80  mark sequence              u64   of the first record at or after the mark
///   88  settled position, sequence u64, u64   the log up to here was checked and flushed by the last start or clean
///                                             stop; records behind it belong to this epoch, and start a segment
///  104  mark checksum, settled checksum u32, u32  headers before mark and settled position
///  112  clean position             u64   clean blocks that were logged below it count no more
///  120  placement offset           u32   segment s lies at place (s + offset) mod count; changes when the cache grows
///  124  zero
///  128  known epoch               u64   the fields from here on are the ones of the life with this epoch, else nothing
///  136  kept position, kept key   u64, u64   data below this position, of blocks below this key, is on the backing
///                                            device: how far a drain had come in a batch (R8)
///  152  memory's boot              u64   the boot of the machine in which this epoch acknowledges from memory that
///                                        outlives the process: CRC32C of its id, and 1 in the upper half; 0: it does
///                                        not
///  160  memory's folder            120 bytes of UTF-8, zero behind; empty: it does not fit
///  280  warm position             u64   start of the oldest segment below the mark whose blocks still serve reads;
///                                       only after an orderly stop (R10)
///  288  around position           u64   data logged below it may be out of date: a write went round the log (R10)
///  296  warm epoch                u64   the two before it are of the life with this epoch, else nothing
///  304  zero
/// 4092  checksum                   u32   CRC32C of bytes 0..4091
/// </code>
/// </summary>
[StructLayout(LayoutKind.Explicit, Pack = 1, Size = Bytes)]
public unsafe struct Superblock
{
    /// <summary>Size on disk.</summary>
    public const int Bytes = 4096;
    /// <summary>Byte offset of copy B.</summary>
    public const long CopyBOffset = 512 << 10;
    /// <summary>"WEIRSB01", little endian.</summary>
    public const ulong MagicValue = 0x3130425352494557;
    /// <summary>Format version.</summary>
    public const uint VersionValue = 2;
    /// <summary>
    /// The same, where <see cref="PlacementOffset"/> is not 0: who does not know it must not open the cache.
    /// </summary>
    public const uint GrownVersion = 3;
    /// <summary>Flag: the last stop was orderly, nothing lies behind <see cref="SettledPosition"/>.</summary>
    public const uint CleanFlag = 1;
    /// <summary>Room for the folder of memory that outlives the process.</summary>
    public const int RamFolderMax = 120;
    private const int ChecksumOffset = 4092;

    /// <summary>See the picture.</summary>
    [FieldOffset(0)] public ulong Magic;
    /// <summary>See the picture.</summary>
    [FieldOffset(8)] public uint Version;
    /// <summary><see cref="CleanFlag"/>.</summary>
    [FieldOffset(12)] public uint Flags;
    /// <summary>This cache, and no other.</summary>
    [FieldOffset(16)] public Guid CacheId;
    /// <summary>Never leaves the cache device.</summary>
    [FieldOffset(32)] public Guid Secret;
    /// <summary>The newer copy has the larger.</summary>
    [FieldOffset(48)] public long Generation;
    /// <summary>Lives so far.</summary>
    [FieldOffset(56)] public long Epoch;
    /// <summary>Bytes of a segment.</summary>
    [FieldOffset(64)] public int SegmentBytes;
    /// <summary>Segments.</summary>
    [FieldOffset(68)] public int SegmentCount;
    /// <summary>Everything below is on the backing device. Always the start of a segment.</summary>
    [FieldOffset(72)] public long MarkPosition;
    /// <summary>Sequence of the first record at or after the mark.</summary>
    [FieldOffset(80)] public long MarkSequence;
    /// <summary>Records below are whole and durable; those of this epoch begin at the next segment.</summary>
    [FieldOffset(88)] public long SettledPosition;
    /// <summary>Sequence of the first record behind it.</summary>
    [FieldOffset(96)] public long SettledSequence;
    /// <summary>Checksum of the header before the mark.</summary>
    [FieldOffset(104)] public uint MarkChecksum;
    /// <summary>Checksum of the header before the settled position.</summary>
    [FieldOffset(108)] public uint SettledChecksum;
    /// <summary>Clean blocks that were logged below it may be out of date (R10).</summary>
    [FieldOffset(112)] public long CleanPosition;
    /// <summary>As <see cref="Geometry.PlacementOffset"/>.</summary>
    [FieldOffset(120)] public int PlacementOffset;
    [FieldOffset(124)] private uint _zero124;
    /// <summary>The last epoch of a program that knew the fields behind this one.</summary>
    [FieldOffset(128)] public long KnownEpoch;
    /// <summary>See the picture; 0: nothing is kept.</summary>
    [FieldOffset(136)] public long KeptPosition;
    /// <summary>Device and block, as in the index.</summary>
    [FieldOffset(144)] public ulong KeptKey;
    /// <summary>See the picture; <see cref="RamBootOf"/>.</summary>
    [FieldOffset(152)] public ulong RamBoot;
    /// <summary>See the picture; <see cref="RamFolderText"/>.</summary>
    [FieldOffset(160)] public fixed byte RamFolder[RamFolderMax];
    /// <summary>See the picture; 0: none.</summary>
    [FieldOffset(280)] public long WarmPosition;
    /// <summary>See the picture; of data that had been written back.</summary>
    [FieldOffset(288)] public long AroundPosition;
    /// <summary>The life that wrote <see cref="WarmPosition"/> at its end.</summary>
    [FieldOffset(296)] public long WarmEpoch;
    [FieldOffset(304)] private fixed byte _zero304[ChecksumOffset - 304];
    /// <summary>CRC32C of everything before it.</summary>
    [FieldOffset(ChecksumOffset)] public uint Checksum;

    /// <summary>The last stop was orderly.</summary>
    public readonly bool IsClean => (Flags & CleanFlag) != 0;

    /// <summary>A drain was interrupted in a batch, and what it had written need not be written again.</summary>
    public readonly bool HasKept => KnownEpoch == Epoch && KeptPosition > MarkPosition;

    /// <summary>
    /// Segments below the mark still serve reads: the last life has stopped in order, and had them in its index.
    /// </summary>
    public readonly bool IsWarm => WarmPosition != 0 && WarmPosition < MarkPosition
        && (Mutant.Is(WriteboostMutant.R10WarmAfterCrash) || (IsClean && WarmEpoch == Epoch));

    /// <summary>
    /// Its fields can be true of a cache, each by itself and together: asked of what was read, asserted of what is to
    /// be written. What is read may be from a program that knows more, so bytes without a field are not looked at.
    /// </summary>
    public readonly bool IsConsistent => HasPlaces
        && Epoch >= 0 && KnownEpoch <= Epoch && WarmEpoch <= Epoch
        && MarkPosition > 0 && MarkPosition % SlotsPerSegment == 0 && MarkSequence > 0
        && SettledPosition > 0 && SettledSequence > 0
        && (!IsClean || (SettledPosition >= MarkPosition && SettledSequence >= MarkSequence));

    /// <summary>Size, number and shift of the segments can be those of a cache.</summary>
    public readonly bool HasPlaces => SegmentBytes is >= Geometry.MinSegmentBytes and <= Geometry.MaxSegmentBytes
        && BitOperations.IsPow2(SegmentBytes)
        && SegmentCount >= Geometry.MinSegments
        && (uint)PlacementOffset < (uint)SegmentCount;

    private readonly int SlotsPerSegment => SegmentBytes >> Geometry.BlockShift;

    /// <summary>Begins the next epoch. A program that knows less leaves fields behind that count no more.</summary>
    public void RaiseEpoch()
    {
        if (!HasKept) (KeptPosition, KeptKey) = (0, 0);
        if (!Mutant.Is(WriteboostMutant.R10WarmAfterCrash)) WarmPosition = 0;
        if (!Mutant.Is(WriteboostMutant.R4EpochNotRaised)) Epoch++;
        KnownEpoch = Epoch;
    }

    /// <summary>
    /// The 128-bit nonce of <paramref name="epoch"/>: the secret, mixed with the epoch. No client ever reads a header,
    /// so mixing need not be one-way, only different for every epoch.
    /// </summary>
    public readonly Guid NonceOf(long epoch)
    {
        Guid secret = Secret;
        ulong* halves = (ulong*)&secret;
        halves[0] = Mix(halves[0] + (ulong)epoch * 0x9E3779B97F4A7C15);
        halves[1] = Mix(halves[1] ^ halves[0]);
        return secret;
    }

    /// <summary>What <see cref="RamBoot"/> is in the boot of this id.</summary>
    public static ulong RamBootOf(string bootId)
    {
        byte[] text = Encoding.ASCII.GetBytes(bootId);
        fixed (byte* bytes = text) return 1UL << 32 | Crc32C.Compute(bytes, text.Length);
    }

    /// <summary>The last life acknowledged from memory that outlives the process, in the boot of this id.</summary>
    public readonly bool HasRam(string bootId) => KnownEpoch == Epoch && RamBoot == RamBootOf(bootId);

    /// <summary>Where the memory of <see cref="RamBoot"/> is; empty when that is not known.</summary>
    public string RamFolderText
    {
        readonly get
        {
            fixed (byte* bytes = RamFolder) return Encoding.UTF8.GetString(bytes, RamFolderMax).TrimEnd('\0');
        }
        set
        {
            fixed (byte* bytes = RamFolder)
            {
                Span<byte> to = new(bytes, RamFolderMax);
                to.Clear();
                if (Encoding.UTF8.GetByteCount(value) <= RamFolderMax) Encoding.UTF8.GetBytes(value, to);
            }
        }
    }

    /// <summary>Takes over where segments lie.</summary>
    public void Place(in Geometry geometry)
    {
        (SegmentCount, PlacementOffset) = geometry.Placement;
        if (PlacementOffset != 0) Version = GrownVersion;
    }

    /// <summary>Notes that the log up to <paramref name="position"/> is whole and durable.</summary>
    public void Settle(long position, long sequence, uint checksum) =>
        (SettledPosition, SettledSequence, SettledChecksum) = (position, sequence, checksum);

    /// <summary>Fills <see cref="Checksum"/>.</summary>
    public static void Seal(Superblock* superblock) =>
        superblock->Checksum = Crc32C.Compute((byte*)superblock, ChecksumOffset);

    /// <summary>Magic and checksum are right.</summary>
    public static bool IsValid(Superblock* superblock) =>
        superblock->Magic == MagicValue
        && superblock->Checksum == Crc32C.Compute((byte*)superblock, ChecksumOffset)
        && superblock->Version is VersionValue or GrownVersion
        && (superblock->Version == GrownVersion || superblock->PlacementOffset == 0);

    // Stafford's variant 13 of the 64-bit finalizer: every bit of the input moves every bit of the output.
    private static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}

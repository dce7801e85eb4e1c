using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Weir.Core.Base;

namespace Weir.Core.Writeboost.Format;

/// <summary>What a record's bytes say of themselves.</summary>
public enum RecordProof
{
    /// <summary>Nothing: no checksum covers the data.</summary>
    None,
    /// <summary>A checksum covers it, and is right.</summary>
    Whole,
    /// <summary>The header is as it was written, the data is not: overwritten, discarded, or rotten.</summary>
    HeaderOnly,
}

/// <summary>
/// The last 32 bytes of a header's 4 KiB in the layouts that have no checksum. Weir puts it there; the modules leave
/// these bytes as they are in their memory and never read them. It is for knowing which device is which (R13), not for
/// recovery: a header counts without it.
/// <code>
///  0        8            12         16                 32
///  | magic  | header sum | data sum | zeroes            |
///  | u64    | u32        | u32      |
/// </code>
/// header sum: CRC32C of the header up to its last entry; data sum: CRC32C of the blocks that count.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = Bytes)]
public unsafe struct SegmentSeal
{
    /// <summary>Size on disk, and where it lies in the header's 4 KiB.</summary>
    public const int Bytes = 32, Offset = Geometry.BlockBytes - Bytes;

    /// <summary>"WEIRSEAL", little endian.</summary>
    public const ulong MagicValue = 0x4C41_4553_5249_4557;

    [FieldOffset(0)] private ulong _magic;
    [FieldOffset(8)] private uint _headerSum;
    [FieldOffset(12)] private uint _dataSum;

    /// <summary>Seals the <paramref name="record"/>, whose blocks follow its header in memory.</summary>
    public static void Put(byte* record, uint headerSum, int blocks)
    {
        SegmentSeal seal = new() { _magic = MagicValue, _headerSum = headerSum };
        seal._dataSum = DataSumOf(record, blocks);
        Unsafe.WriteUnaligned(record + Offset, seal);
    }

    /// <summary>
    /// What the seal of <paramref name="record"/> says, whose header has <paramref name="headerSum"/>.
    /// </summary>
    public static RecordProof ProofOf(byte* record, uint headerSum, int blocks)
    {
        SegmentSeal seal = Unsafe.ReadUnaligned<SegmentSeal>(record + Offset);
        if (seal._magic != MagicValue || seal._headerSum != headerSum) return RecordProof.None;
        return seal._dataSum == DataSumOf(record, blocks) ? RecordProof.Whole : RecordProof.HeaderOnly;
    }

    private static uint DataSumOf(byte* record, int blocks) =>
        Crc32C.Compute(record + Geometry.BlockBytes, (long)blocks << Geometry.BlockShift);
}

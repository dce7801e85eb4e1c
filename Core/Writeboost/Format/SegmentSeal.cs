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
/// 32 bytes in a header's 4 KiB, at a place that the layout's module leaves as it is in its memory and never reads: for
/// knowing which device is which (R13), and that a record was there which is not any more (R5). A header counts without
/// it, or below a seal of another segment, which a module may have had in its memory; below its own it has to be as it
/// was sealed.
/// <code>
///  0        8            12         16                24     28
///  | magic  | header sum | data sum | durable segment | id   | sum |
///  | u64    | u32        | u32      | u64             | u32  | u32 |
/// </code>
/// header sum: CRC32C of what the layout has before the seal; data sum: CRC32C of the blocks that count, 0
/// where the layout has a checksum of its own; durable segment: all up to this id were durable when the header was
/// made; id: the segment's own, 0 in seals of older programs and beyond 32 bits; sum: CRC32C of the 28 bytes before it.
/// </summary>
[StructLayout(LayoutKind.Explicit, Pack = 1, Size = Bytes)]
public unsafe struct SegmentSeal
{
    /// <summary>Size on disk.</summary>
    public const int Bytes = 32;

    /// <summary>"WEIRSEAL", little endian.</summary>
    public const ulong MagicValue = 0x4C41_4553_5249_4557;

    private const int SumOffset = 28;

    [FieldOffset(0)] private ulong _magic;
    /// <summary>See the picture.</summary>
    [FieldOffset(8)] public uint HeaderSum;
    /// <summary>See the picture.</summary>
    [FieldOffset(12)] public uint DataSum;
    /// <summary>See the picture.</summary>
    [FieldOffset(16)] public long DurableSegment;
    /// <summary>See the picture.</summary>
    [FieldOffset(24)] public uint Id;
    [FieldOffset(SumOffset)] private uint _sum;

    /// <summary>It speaks of segments before its own only.</summary>
    public readonly bool IsConsistent => DurableSegment >= 0 && (Id == 0 || DurableSegment < Id);

    /// <summary>Writes it to <paramref name="place"/>.</summary>
    public readonly void Put(byte* place)
    {
        Invariant.Check(IsConsistent);
        SegmentSeal seal = this;
        seal._magic = MagicValue;
        seal._sum = Crc32C.Compute((byte*)&seal, SumOffset);
        Unsafe.WriteUnaligned(place, seal);
    }

    /// <summary>The seal at <paramref name="place"/>; false: there is none.</summary>
    public static bool TryRead(byte* place, out SegmentSeal seal)
    {
        seal = Unsafe.ReadUnaligned<SegmentSeal>(place);
        return seal._magic == MagicValue && seal._sum == Crc32C.Compute(place, SumOffset) && seal.IsConsistent;
    }

    /// <summary>
    /// Checksum of the <paramref name="blocks"/> that follow the header at <paramref name="record"/>.
    /// </summary>
    public static uint DataSumOf(byte* record, int blocks) =>
        Crc32C.Compute(record + Geometry.BlockBytes, (long)blocks << Geometry.BlockShift);
}

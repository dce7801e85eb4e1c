using System;
using Weir.Core.Base;

namespace Weir.Core.Writeboost.Format;

/// <summary>
/// Device table of layout <c>native</c>, 64 KiB, little endian; copy A at byte 4 KiB, copy B at 516 KiB, each behind a
/// copy of the superblock. One copy is whole at any moment, as with the superblock. A table of another UUID is none:
/// formatting writes no table.
/// <code>
///    0  magic "WEIRDT01"          u64
///    8  version                   u32  (+ 4 bytes zero)
///   16  cache UUID                16 bytes
///   32  generation                u64  rises with every update
///   40  zero
///  256  devices                   254 x 256 bytes; number n at place n - 1
/// 65280 zero
/// 65532 checksum                  u32  CRC32C of bytes 0..65531
/// </code>
/// </summary>
public sealed unsafe class DeviceTable : IDisposable
{
    /// <summary>Size on disk.</summary>
    public const int Bytes = 64 << 10;
    /// <summary>"WEIRDT01", little endian.</summary>
    public const ulong MagicValue = 0x3130544452494557;
    /// <summary>Format version.</summary>
    public const uint VersionValue = 1;
    /// <summary>Most devices: 0 is nobody's number, as in the seeds, and 255 is none.</summary>
    public const int MaxDevices = 254;
    private const int RecordsOffset = 256;
    private const int ChecksumOffset = Bytes - 4;

    private readonly AlignedMemory _memory = new(Bytes);

    /// <summary>An empty table of the cache <paramref name="cacheId"/>.</summary>
    public DeviceTable(Guid cacheId)
    {
        new Span<byte>(Pointer, Bytes).Clear();
        *(ulong*)Pointer = MagicValue;
        *(uint*)(Pointer + 8) = VersionValue;
        *(Guid*)(Pointer + 16) = cacheId;
    }

    /// <summary>Byte offsets of the copies.</summary>
    public static ReadOnlySpan<long> Offsets => [Superblock.Bytes, Superblock.CopyBOffset + Superblock.Bytes];

    /// <summary>Its bytes.</summary>
    public byte* Pointer => _memory.Pointer;

    /// <summary>The newer copy has the larger.</summary>
    public long Generation => GenerationOf(Pointer);

    /// <summary>The record of device <paramref name="id"/>.</summary>
    public ref DeviceRecord this[int id]
    {
        get
        {
            Invariant.Check(id is > 0 and <= MaxDevices);
            return ref ((DeviceRecord*)(Pointer + RecordsOffset))[id - 1];
        }
    }

    /// <summary>
    /// It names every device of which the log holds something. An empty one does not, before the first start or because
    /// the table was lost, nor one that an older weir has written after such a loss.
    /// </summary>
    public bool IsComplete
    {
        get
        {
            bool isEmpty = true;
            for (int id = 1; id <= MaxDevices; id++)
            {
                if (this[id].Id == 0) continue;
                if (!this[id].HasFirstPosition) return false;
                isEmpty = false;
            }
            return !isEmpty;
        }
    }

    /// <summary>
    /// By number, from where on the log's entries are of the device that has it now; of a number that is free none are,
    /// unless the table is not complete: then nobody can tell, and all count.
    /// </summary>
    public long[] FirstPositions()
    {
        long[] positions = new long[byte.MaxValue + 1];
        long free = IsComplete ? long.MaxValue : 0;
        for (int id = 1; id <= MaxDevices; id++)
            positions[id] = this[id].Id != 0 ? this[id].FirstPosition : free;
        return positions;
    }

    /// <summary>Raises the generation and fills the checksum.</summary>
    public void Seal()
    {
        *(long*)(Pointer + 32) = Generation + 1;
        *(uint*)(Pointer + ChecksumOffset) = Crc32C.Compute(Pointer, ChecksumOffset);
    }

    /// <summary>Becomes what the 64 KiB at <paramref name="table"/> say.</summary>
    public void CopyFrom(byte* table) => Buffer.MemoryCopy(table, Pointer, Bytes, Bytes);

    /// <summary>The generation of the table at <paramref name="table"/>.</summary>
    public static long GenerationOf(byte* table) => *(long*)(table + 32);

    /// <summary>A whole table of the cache <paramref name="cacheId"/>.</summary>
    public static bool IsValid(byte* table, Guid cacheId) =>
        *(ulong*)table == MagicValue
        && *(Guid*)(table + 16) == cacheId
        && *(uint*)(table + 8) == VersionValue
        && *(uint*)(table + ChecksumOffset) == Crc32C.Compute(table, ChecksumOffset);

    /// <inheritdoc/>
    public void Dispose() => _memory.Dispose();
}

using System;
using Weir.Core.Base;

namespace Weir.Core.Writeboost.Format;

/// <summary>
/// What the 64 KiB tables of layout <c>native</c> have in common, little endian. One copy is whole at any moment, as
/// with the superblock. A table of another UUID is none: formatting writes none.
/// <code>
///    0  magic                     u64
///    8  version                   u32  (+ 4 bytes zero)
///   16  cache UUID                16 bytes
///   32  generation                u64  rises with every update
///   40  the table's own
///  256  devices                   254 x 256 bytes; number n at place n - 1
/// 65280 zero
/// 65532 checksum                  u32  CRC32C of bytes 0..65531
/// </code>
/// </summary>
public abstract unsafe class TwoCopyTable : IDisposable
{
    /// <summary>Size on disk.</summary>
    public const int TableBytes = 64 << 10;
    /// <summary>Where the records of devices begin.</summary>
    protected const int RecordsOffset = 256;
    private const int GenerationOffset = 32;
    private const int ChecksumOffset = TableBytes - 4;

    private readonly AlignedMemory _memory = new(TableBytes);
    private readonly ulong _magic;
    private readonly uint _version;
    private readonly Guid _cacheId;

    /// <summary>An empty table of the cache <paramref name="cacheId"/>.</summary>
    protected TwoCopyTable(ulong magic, uint version, Guid cacheId)
    {
        (_magic, _version, _cacheId) = (magic, version, cacheId);
        new Span<byte>(Pointer, TableBytes).Clear();
        *(ulong*)Pointer = magic;
        *(uint*)(Pointer + 8) = version;
        *(Guid*)(Pointer + 16) = cacheId;
    }

    /// <summary>Byte offset of copy A; copy B lies as far behind copy B of the superblock.</summary>
    public abstract long OffsetA { get; }

    /// <summary>Byte offset of copy B.</summary>
    public long OffsetB => Superblock.CopyBOffset + OffsetA;

    /// <summary>Its bytes.</summary>
    public byte* Pointer => _memory.Pointer;

    /// <summary>The newer copy has the larger.</summary>
    public long Generation
    {
        get => GenerationOf(Pointer);
        set => *(long*)(Pointer + GenerationOffset) = value;
    }

    /// <summary>
    /// What it says of its devices can be: asserted before it is written, asked of a whole table that was read.
    /// </summary>
    public abstract bool IsConsistent { get; }

    /// <summary>Raises the generation and fills the checksum.</summary>
    public void Seal()
    {
        Invariant.Check(IsConsistent);
        Invariant.Check(Generation >= 0);
        Generation++;
        *(uint*)(Pointer + ChecksumOffset) = Crc32C.Compute(Pointer, ChecksumOffset);
    }

    /// <summary>Becomes what the 64 KiB at <paramref name="table"/> say.</summary>
    public void CopyFrom(byte* table) => Buffer.MemoryCopy(table, Pointer, TableBytes, TableBytes);

    /// <summary>The 64 KiB at <paramref name="table"/> are a whole table of this kind and cache.</summary>
    public bool IsWhole(byte* table) => IsValid(table, _magic, _version, _cacheId);

    /// <summary>What is at <paramref name="table"/> begins like one of this cache, whole or not.</summary>
    public bool IsHead(byte* table) => *(ulong*)table == _magic || *(Guid*)(table + 16) == _cacheId;

    /// <summary>The generation of the table at <paramref name="table"/>.</summary>
    public static long GenerationOf(byte* table) => *(long*)(table + GenerationOffset);

    /// <inheritdoc/>
    public void Dispose()
    {
        _memory.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>A whole table with this magic, of this version and cache.</summary>
    protected static bool IsValid(byte* table, ulong magic, uint version, Guid cacheId) =>
        *(ulong*)table == magic
        && *(Guid*)(table + 16) == cacheId
        && *(uint*)(table + 8) == version
        && *(uint*)(table + ChecksumOffset) == Crc32C.Compute(table, ChecksumOffset);
}

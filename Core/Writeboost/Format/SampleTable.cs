using System;
using System.Runtime.InteropServices;
using System.Text;
using Weir.Core.Base;

namespace Weir.Core.Writeboost.Format;

/// <summary>What a sampled block holds.</summary>
public enum SampleKind : byte
{
    /// <summary>There is no sample at this place.</summary>
    None = 0,
    /// <summary>Something.</summary>
    Content = 1,
    /// <summary>Zeroes only: any blank device has them.</summary>
    Zeroes = 2,
}

/// <summary>
/// A block of a backing device, and what it holds there.
/// <code>
///  0        4         9      10
///  | sum    | block   | kind | zeroes |
///  | u32    | u40     | u8   |        |
/// </code>
/// </summary>
[StructLayout(LayoutKind.Explicit, Pack = 1, Size = Bytes)]
public struct BlockSample
{
    /// <summary>Size on disk.</summary>
    public const int Bytes = 12;

    /// <summary><see cref="BlockSum"/> of its 4 KiB.</summary>
    [FieldOffset(0)] public uint Sum;
    [FieldOffset(4)] private uint _blockLow;
    [FieldOffset(8)] private byte _blockHigh;
    /// <summary>What it holds.</summary>
    [FieldOffset(9)] public SampleKind Kind;
    [FieldOffset(10)] private ushort _zero10;

    /// <summary>Block number on the backing device (4 KiB units, 40 bits).</summary>
    public long Block
    {
        readonly get => _blockLow | ((long)_blockHigh << 32);
        set => (_blockLow, _blockHigh) = ((uint)value, (byte)(value >> 32));
    }

    /// <summary>The same block, and the same in it.</summary>
    public readonly bool IsSame(in BlockSample other) =>
        (Sum, Block, Kind) == (other.Sum, other.Block, other.Kind);
}

/// <summary>
/// The samples of one backing device, 256 bytes. Places 0 to 7: found on the device when it was met or a life began;
/// 8 to 15: written back lately.
/// <code>
///    0  first position            u64  as in the device table: these are that device's
///    8  change stamp              u64  of the device after the last orderly stop of a life that had it; 0: unknown
///   16  samples                   16 x 12 bytes
///  208  zero
/// </code>
/// </summary>
[StructLayout(LayoutKind.Explicit, Pack = 1, Size = Bytes)]
public unsafe struct DeviceSamples
{
    /// <summary>Size on disk.</summary>
    public const int Bytes = 256;
    /// <summary>Samples of a device; the first half were found, the rest written.</summary>
    public const int Count = 16, FoundCount = 8;
    private const int SamplesOffset = 16;

    /// <summary>As <see cref="DeviceRecord.FirstPosition"/>.</summary>
    [FieldOffset(0)] public long FirstPosition;
    /// <summary>See the picture; as <see cref="Io.Device.ChangeStamp"/>.</summary>
    [FieldOffset(8)] public ulong ChangeStamp;
    [FieldOffset(SamplesOffset)] private fixed byte _samples[Count * BlockSample.Bytes];
    [FieldOffset(208)] private fixed byte _zero208[Bytes - 208];

    /// <summary>They can be those of a device.</summary>
    public bool IsConsistent
    {
        get
        {
            bool isConsistent = FirstPosition >= 0;
            for (int i = 0; i < Count; i++) isConsistent &= this[i].Kind <= SampleKind.Zeroes;
            return isConsistent;
        }
    }

    /// <summary>Those with content, if they are of the device that has <paramref name="firstPosition"/>.</summary>
    public int CountOf(long firstPosition)
    {
        int count = 0;
        for (int i = 0; i < Count && firstPosition == FirstPosition; i++)
            if (this[i].Kind == SampleKind.Content) count++;
        return count;
    }

    /// <summary>One of them.</summary>
    [System.Diagnostics.CodeAnalysis.UnscopedRef]
    public ref BlockSample this[int index]
    {
        get
        {
            Invariant.Check((uint)index < Count);
            fixed (byte* first = _samples) return ref ((BlockSample*)first)[index];
        }
    }
}

/// <summary>
/// Samples of what backing devices hold, which tell one from another where names cannot: magic "WEIRFP01". The devices
/// are <see cref="DeviceSamples"/>. Copy A at byte 68 KiB, copy B at 580 KiB, in layout <c>native</c> each behind a
/// copy of the device table. There bytes 40 to 47 are the epoch of the life that keeps it; a table of another life than
/// the last says nothing, because that life may have written without it. In the kernel's layouts, which have no epochs:
/// <code>
///   40  mark segment       u64        all up to this id had been written back when the table was: of blocks that a
///                                     later one names, the samples say nothing
///   48  durable segment    u64        all up to this id were durable then
///   56  memory's boot      u64        as in the superblock of layout native; 0 after an orderly stop
///   64  memory's folder    120 bytes  the same
///  184  zero
/// </code>
/// </summary>
public sealed unsafe class SampleTable(Guid cacheId) : TwoCopyTable(MagicValue, VersionValue, cacheId)
{
    /// <summary>"WEIRFP01", little endian.</summary>
    public const ulong MagicValue = 0x3130504652494557;
    /// <summary>Format version.</summary>
    public const uint VersionValue = 1;
    private const int MemoryOffset = 56;

    /// <inheritdoc/>
    public override long OffsetA => Superblock.Bytes + DeviceTable.Bytes;

    /// <inheritdoc/>
    public override bool IsConsistent
    {
        get
        {
            for (int id = 1; id <= DeviceTable.MaxDevices; id++)
                if (!this[id].IsConsistent) return false;
            return true;
        }
    }

    /// <summary>There was one, and neither copy is whole.</summary>
    public bool IsLost { get; set; }

    /// <summary>Of the life that keeps it.</summary>
    public long Epoch
    {
        get => *(long*)(Pointer + 40);
        set => *(long*)(Pointer + 40) = value;
    }

    /// <summary>See the picture.</summary>
    public long MarkSegment
    {
        get => Epoch;
        set => Epoch = value;
    }

    /// <summary>See the picture.</summary>
    public long DurableSegment
    {
        get => *(long*)(Pointer + 48);
        set => *(long*)(Pointer + 48) = value;
    }

    /// <summary>Tells <paramref name="superblock"/> of a layout without a place for it where memory was.</summary>
    public void GetMemory(ref Superblock superblock)
    {
        superblock.RamBoot = *(ulong*)(Pointer + MemoryOffset);
        superblock.RamFolderText = Encoding.UTF8.GetString(FolderBytes).TrimEnd('\0');
    }

    /// <summary>
    /// Says how far the log of <paramref name="superblock"/> has come, all of it before
    /// <paramref name="durablePosition"/> durable, and where the memory of this life is.
    /// </summary>
    public void DescribeLog(in Superblock superblock, in Geometry geometry, long durablePosition)
    {
        MarkSegment = geometry.SegmentOf(superblock.MarkPosition) - 1;
        DurableSegment = geometry.SegmentOf(durablePosition - 1);
        *(ulong*)(Pointer + MemoryOffset) = superblock.RamBoot;
        FolderBytes.Clear();
        Encoding.UTF8.GetBytes(superblock.RamFolderText, FolderBytes);
    }

    private Span<byte> FolderBytes => new(Pointer + MemoryOffset + sizeof(ulong), Superblock.RamFolderMax);

    /// <summary>The samples of device <paramref name="id"/>.</summary>
    public ref DeviceSamples this[int id]
    {
        get
        {
            Invariant.Check(id is > 0 and <= DeviceTable.MaxDevices);
            return ref ((DeviceSamples*)(Pointer + RecordsOffset))[id - 1];
        }
    }

    /// <summary>
    /// In a layout without epochs: it may be of the log whose superblock has everything up to
    /// <paramref name="markSegment"/> written back, and whose newest header has id <paramref name="newestSegment"/>. A
    /// log that its module has begun anew is behind it with both; one that has lost headers keeps its mark.
    /// </summary>
    public bool IsOfLog(long markSegment, long newestSegment) =>
        markSegment >= MarkSegment || newestSegment >= MarkSegment;

    /// <summary>
    /// It speaks for the last life of a cache whose superblock has <paramref name="epoch"/>: that life raised the epoch
    /// after it had written the table.
    /// </summary>
    public bool IsOfLife(long epoch) => Epoch == epoch || Epoch == epoch + 1;
}

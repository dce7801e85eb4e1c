using System.Runtime.InteropServices;

namespace Weir.Core.Writeboost.Format;

/// <summary>What a log slot holds.</summary>
public enum EntryKind : byte
{
    /// <summary>Nothing: reserved, never filled.</summary>
    Void = 0,
    /// <summary>A block, or the sectors of it that <see cref="LogEntry.Sectors"/> names.</summary>
    Data = 1,
    /// <summary>A range of zeroes that keeps its space; its slot carries no data.</summary>
    Zeroes = 2,
    /// <summary>
    /// A range of zeroes whose space may be given back: discarded, or zeroed by a client that permits holes.
    /// </summary>
    Discard = 3,
    /// <summary>A whole block as it was read from the backing device: nothing to write back.</summary>
    Clean = 4,
    /// <summary>Sectors whose data was found rotten before it could be written back: they read EIO.</summary>
    Poison = 5,
}

/// <summary>
/// One entry of a record header: what the slot at the same place holds.
/// <code>
///  0        4         9       10       11     12       15
///  | value  | block   | device| sectors| kind | flags, |
///  | u32    | u40     | u8    | bits   | u8   | zeroes |
/// </code>
/// value: <see cref="BlockSum"/> of the slot's 4 KiB (Data), or the number of blocks (Zeroes, Discard), or how many
/// slots before this one the rotten data lay (Poison). flags, of Poison alone: bit 0, the sectors were given up.
/// </summary>
[StructLayout(LayoutKind.Explicit, Pack = 1, Size = Bytes)]
public struct LogEntry
{
    /// <summary>Size on disk: 255 of them and 271 bytes more make a block.</summary>
    public const int Bytes = 15;

    /// <summary>Most blocks one range entry names.</summary>
    public const long MaxRangeBlocks = uint.MaxValue;

    private const byte GivenUpFlag = 1;

    /// <summary>Sum of the data, or blocks in the range.</summary>
    [FieldOffset(0)] public uint Value;
    [FieldOffset(4)] private uint _blockLow;
    [FieldOffset(8)] private byte _blockHigh;
    /// <summary>Backing device, 1 to 254.</summary>
    [FieldOffset(9)] public byte Device;
    /// <summary>Bit i: sector i of the block is here.</summary>
    [FieldOffset(10)] public byte Sectors;
    /// <summary>What it is.</summary>
    [FieldOffset(11)] public EntryKind Kind;
    [FieldOffset(12)] private byte _flags;
    [FieldOffset(13)] private ushort _zero1;

    /// <summary>Block number on the backing device (4 KiB units, 40 bits).</summary>
    public long Block
    {
        readonly get => _blockLow | ((long)_blockHigh << 32);
        set
        {
            _blockLow = (uint)value;
            _blockHigh = (byte)(value >> 32);
        }
    }

    /// <summary>Device and block in one number, the index's key: device in bits 40..47.</summary>
    public readonly ulong Key => _blockLow | ((ulong)_blockHigh << 32) | ((ulong)Device << 40);

    /// <summary>
    /// Of poison: the user has given these sectors up, they read what lies below. A weir that does not know this still
    /// answers an error.
    /// </summary>
    public readonly bool IsGivenUp => Kind == EntryKind.Poison && (_flags & GivenUpFlag) != 0;

    /// <summary>
    /// It can be the entry of a slot: asserted before it is written, asked after it was read. Void, it says nothing.
    /// </summary>
    public readonly bool IsConsistent => Kind switch
    {
        EntryKind.Void => true,
        EntryKind.Data => HasDevice && Sectors != 0,
        EntryKind.Zeroes or EntryKind.Discard => HasDevice && Value != 0,
        EntryKind.Clean => HasDevice && Sectors == SectorMask.Full,
        EntryKind.Poison => HasDevice && Sectors != 0 && Value != 0,
        _ => false,
    };

    private readonly bool HasDevice => Device is > 0 and <= DeviceTable.MaxDevices;

    /// <summary>An entry for a block, or for the sectors of it in <paramref name="sectors"/>.</summary>
    public static LogEntry ForData(ulong key, byte sectors, uint checksum) =>
        new()
        {
            Value = checksum, _blockLow = (uint)key, _blockHigh = (byte)(key >> 32), Device = (byte)(key >> 40),
            Sectors = sectors, Kind = EntryKind.Data
        };

    /// <summary>An entry for a whole block as it was read from the backing device.</summary>
    public static LogEntry ForClean(ulong key, uint checksum)
    {
        LogEntry entry = ForData(key, 0xFF, checksum);
        entry.Kind = EntryKind.Clean;
        return entry;
    }

    /// <summary>
    /// An entry for sectors that are lost; they were logged <paramref name="distance"/> slots before it.
    /// </summary>
    public static LogEntry ForPoison(ulong key, byte sectors, uint distance) =>
        ForData(key, sectors, distance) with { Kind = EntryKind.Poison };

    /// <summary>
    /// An entry for sectors that are given up; what was lost was logged <paramref name="distance"/> slots before it.
    /// </summary>
    public static LogEntry ForGivenUp(ulong key, byte sectors, uint distance) =>
        ForPoison(key, sectors, distance) with { _flags = GivenUpFlag };

    /// <summary>An entry for <paramref name="blocks"/> blocks of zeroes from <paramref name="key"/> on.</summary>
    public static LogEntry ForRange(ulong key, uint blocks, EntryKind kind) =>
        new()
        {
            Value = blocks, _blockLow = (uint)key, _blockHigh = (byte)(key >> 32), Device = (byte)(key >> 40),
            Sectors = 0xFF, Kind = kind
        };
}

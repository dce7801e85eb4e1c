using System;
using System.Runtime.InteropServices;
using System.Text;

namespace Weir.Core.Writeboost.Format;

/// <summary>
/// One backing device in the device table of layout <c>native</c>, little endian. All zero: the number is free.
/// <code>
///    0  number, 1 to 254          u8
///    1  flags                     u8   bit 0: the first position counts; not in a table of an older weir (+ 6 zero)
///    8  size in bytes             u64
///   16  first position            u64  what the log holds below it under this number is another device's
///   24  zero
///   64  name                      64 bytes UTF-8, zero padded
///  128  identity                  128 bytes UTF-8, zero padded
/// </code>
/// </summary>
[StructLayout(LayoutKind.Explicit, Pack = 1, Size = Bytes)]
public unsafe struct DeviceRecord
{
    /// <summary>Size on disk.</summary>
    public const int Bytes = 256;
    /// <summary>Longest name in bytes.</summary>
    public const int MaxNameBytes = 64;
    private const int MaxIdentityBytes = 128;
    private const byte FirstPositionCounts = 1;

    /// <summary>The number in log entries; 0: free.</summary>
    [FieldOffset(0)] public byte Id;
    [FieldOffset(1)] private byte _flags;
    [FieldOffset(2)] private fixed byte _zero2[6];
    /// <summary>Bytes when it was last served.</summary>
    [FieldOffset(8)] public long SizeBytes;
    [FieldOffset(16)] private long _firstPosition;
    [FieldOffset(24)] private fixed byte _zero24[40];
    [FieldOffset(64)] private fixed byte _name[MaxNameBytes];
    [FieldOffset(128)] private fixed byte _identity[MaxIdentityBytes];

    /// <summary>It can be the record at place <paramref name="id"/>: free, or of that number.</summary>
    public readonly bool IsConsistent(int id) => Id == 0 || (Id == id && SizeBytes >= 0 && FirstPosition >= 0);

    /// <summary>
    /// Entries below belong to a device that had the number before; 0: none do. A table that an older weir wrote has
    /// numbers here that nobody compared, and that need not be true after a power cut: they do not count.
    /// </summary>
    public long FirstPosition
    {
        readonly get => HasFirstPosition ? _firstPosition : 0;
        set => (_firstPosition, _flags) = (value, FirstPositionCounts);
    }

    /// <summary>A weir wrote it that compares first positions.</summary>
    public readonly bool HasFirstPosition => (_flags & FirstPositionCounts) != 0;

    /// <summary>Export name.</summary>
    public string Name
    {
        readonly get
        {
            fixed (byte* name = _name) return Read(new ReadOnlySpan<byte>(name, MaxNameBytes));
        }
        set
        {
            fixed (byte* name = _name) Write(value, new Span<byte>(name, MaxNameBytes));
        }
    }

    /// <summary>What the device says it is.</summary>
    public string Identity
    {
        readonly get
        {
            fixed (byte* identity = _identity) return Read(new ReadOnlySpan<byte>(identity, MaxIdentityBytes));
        }
        set
        {
            fixed (byte* identity = _identity) Write(value, new Span<byte>(identity, MaxIdentityBytes));
        }
    }

    /// <summary>Every byte is the same.</summary>
    public bool IsSame(DeviceRecord other)
    {
        fixed (DeviceRecord* record = &this)
            return new ReadOnlySpan<byte>(record, Bytes).SequenceEqual(new ReadOnlySpan<byte>(&other, Bytes));
    }

    private static string Read(ReadOnlySpan<byte> room)
    {
        int end = room.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end >= 0 ? room[..end] : room);
    }

    private static void Write(string text, Span<byte> room)
    {
        room.Clear();
        Encoding.UTF8.TryGetBytes(text, room, out _);
    }
}

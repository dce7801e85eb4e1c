using System;
using System.Buffers.Binary;

namespace Weir.Frontends.Nbd;

/// <summary>Reads the fields of one option's data. A field that is not there makes <see cref="Failed"/> true.</summary>
internal ref struct OptionReader(ReadOnlySpan<byte> data)
{
    private ReadOnlySpan<byte> _rest = data;

    /// <summary>Something was asked that the data does not hold.</summary>
    public bool Failed { get; private set; }

    /// <summary>All data has been read, and all of it was there.</summary>
    public readonly bool IsComplete => !Failed && _rest.IsEmpty;

    /// <summary>A 16-bit number, or 0 when there is none.</summary>
    public ushort UInt16()
    {
        ReadOnlySpan<byte> bytes = Take(2);
        return Failed ? (ushort)0 : BinaryPrimitives.ReadUInt16BigEndian(bytes);
    }

    /// <summary>A 32-bit number, or 0 when there is none.</summary>
    public uint UInt32()
    {
        ReadOnlySpan<byte> bytes = Take(4);
        return Failed ? 0 : BinaryPrimitives.ReadUInt32BigEndian(bytes);
    }

    /// <summary>A string behind its 32-bit length. One longer than the protocol allows is a failure.</summary>
    public ReadOnlySpan<byte> Text()
    {
        uint length = UInt32();
        if (length > Protocol.MaxStringBytes) Failed = true;
        return Take((int)length);
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if (Failed || count > _rest.Length)
        {
            Failed = true;
            return default;
        }
        ReadOnlySpan<byte> taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }
}

/// <summary>Writes the server's side of the handshake, one field after the other.</summary>
internal ref struct OptionWriter(Span<byte> output)
{
    private readonly Span<byte> _output = output;

    /// <summary>Bytes written.</summary>
    public int Length { get; private set; }

    /// <summary>A 16-bit number.</summary>
    public void UInt16(ushort value) => BinaryPrimitives.WriteUInt16BigEndian(Next(2), value);

    /// <summary>A 32-bit number.</summary>
    public void UInt32(uint value) => BinaryPrimitives.WriteUInt32BigEndian(Next(4), value);

    /// <summary>A 64-bit number.</summary>
    public void UInt64(ulong value) => BinaryPrimitives.WriteUInt64BigEndian(Next(8), value);

    /// <summary>Bytes as they are.</summary>
    public void Bytes(ReadOnlySpan<byte> value) => value.CopyTo(Next(value.Length));

    /// <summary>Zeroes.</summary>
    public void Zeroes(int count) => Next(count).Clear();

    /// <summary>The header of a reply; <paramref name="length"/> bytes of data follow.</summary>
    public void Header(NbdOption option, NbdOptionReply reply, int length)
    {
        UInt64(Protocol.OptionReplyMagic);
        UInt32((uint)option);
        UInt32((uint)reply);
        UInt32((uint)length);
    }

    /// <summary>A whole reply whose data is a message for people, or nothing.</summary>
    public void Reply(NbdOption option, NbdOptionReply reply, ReadOnlySpan<byte> text = default)
    {
        Header(option, reply, text.Length);
        Bytes(text);
    }

    private Span<byte> Next(int count)
    {
        Span<byte> next = _output.Slice(Length, count);
        Length += count;
        return next;
    }
}

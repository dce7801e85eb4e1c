using System;
using System.Buffers.Binary;

namespace Weir.Frontends.Nbd;

/// <summary>Builds the headers of replies in their part. Pure: nothing is sent here.</summary>
internal static unsafe class Replies
{
    private const ushort Done = 1;

    /// <summary>A simple reply: of everything but reads and status with structured replies.</summary>
    public static void Simple(Part* part, ulong cookie, int error)
    {
        Span<byte> header = new(part->Header, Part.HeaderCapacity);
        BinaryPrimitives.WriteUInt32BigEndian(header, Protocol.SimpleReplyMagic);
        BinaryPrimitives.WriteUInt32BigEndian(header[4..], (uint)error);
        BinaryPrimitives.WriteUInt64BigEndian(header[8..], cookie);
        part->HeaderBytes = Protocol.SimpleReplyBytes;
    }

    /// <summary>A chunk that carries the part's payload as the data from <paramref name="offsetBytes"/> on.</summary>
    public static void OffsetData(Part* part, ulong cookie, long offsetBytes, bool last)
    {
        Span<byte> header = new(part->Header, Part.HeaderCapacity);
        Chunk(header, ChunkType.OffsetData, cookie, 8 + part->PayloadBytes, last);
        BinaryPrimitives.WriteUInt64BigEndian(header[Protocol.ChunkHeaderBytes..], (ulong)offsetBytes);
        part->HeaderBytes = Protocol.ChunkHeaderBytes + 8;
    }

    /// <summary>The last chunk of a reply without data.</summary>
    public static void None(Part* part, ulong cookie)
    {
        Chunk(new Span<byte>(part->Header, Part.HeaderCapacity), ChunkType.None, cookie, 0, last: true);
        part->HeaderBytes = Protocol.ChunkHeaderBytes;
    }

    /// <summary>A chunk that carries the part's payload as extents of <c>base:allocation</c>.</summary>
    public static void BlockStatus(Part* part, ulong cookie)
    {
        Span<byte> header = new(part->Header, Part.HeaderCapacity);
        Chunk(header, ChunkType.BlockStatus, cookie, 4 + part->PayloadBytes, last: true);
        BinaryPrimitives.WriteUInt32BigEndian(header[Protocol.ChunkHeaderBytes..], Protocol.BaseAllocationId);
        part->HeaderBytes = Protocol.ChunkHeaderBytes + 4;
    }

    /// <summary>The request failed as a whole.</summary>
    public static void Error(Part* part, ulong cookie, int error)
    {
        Span<byte> header = new(part->Header, Part.HeaderCapacity);
        Chunk(header, ChunkType.Error, cookie, 6, last: true);
        ErrorBody(header, error);
        part->HeaderBytes = Protocol.ChunkHeaderBytes + 6;
    }

    /// <summary>The read failed at <paramref name="offsetBytes"/>; other chunks may follow.</summary>
    public static void ErrorOffset(Part* part, ulong cookie, int error, long offsetBytes, bool last)
    {
        Span<byte> header = new(part->Header, Part.HeaderCapacity);
        Chunk(header, ChunkType.ErrorOffset, cookie, 14, last);
        ErrorBody(header, error);
        BinaryPrimitives.WriteUInt64BigEndian(header[(Protocol.ChunkHeaderBytes + 6)..], (ulong)offsetBytes);
        part->HeaderBytes = Protocol.ChunkHeaderBytes + 14;
    }

    /// <summary>Number, and a message of no bytes.</summary>
    private static void ErrorBody(Span<byte> header, int error)
    {
        BinaryPrimitives.WriteUInt32BigEndian(header[Protocol.ChunkHeaderBytes..], (uint)error);
        BinaryPrimitives.WriteUInt16BigEndian(header[(Protocol.ChunkHeaderBytes + 4)..], 0);
    }

    private static void Chunk(Span<byte> header, ChunkType type, ulong cookie, int length, bool last)
    {
        BinaryPrimitives.WriteUInt32BigEndian(header, Protocol.StructuredReplyMagic);
        BinaryPrimitives.WriteUInt16BigEndian(header[4..], last ? Done : (ushort)0);
        BinaryPrimitives.WriteUInt16BigEndian(header[6..], (ushort)type);
        BinaryPrimitives.WriteUInt64BigEndian(header[8..], cookie);
        BinaryPrimitives.WriteUInt32BigEndian(header[16..], (uint)length);
    }
}

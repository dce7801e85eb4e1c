using System;
using System.Buffers.Binary;

namespace Weir.Core.Traces;

/*
 * One request (libCacheSim, oracleGeneral), little-endian, packed:
 *
 *   0        4                12       16              24
 *   | time s | name of object | bytes  | next use      |
 */

/// <summary>
/// libCacheSim's binary traces of objects. An object is one block, whatever its size; all requests read.
/// </summary>
internal sealed class OracleReader(TraceInput input) : TraceReader(input, TraceFormat.Oracle)
{
    public const int RecordBytes = 24;
    private const int ObjectAt = 4, SizeAt = 12, NextAt = 16;

    /// <inheritdoc/>
    public override bool HasObjects => true;

    private protected override bool TryReadNext(ref TraceRecord record)
    {
        if (!Input.TryReadPiece(RecordBytes, out ReadOnlySpan<byte> piece)) return false;
        if (!IsPlausible(piece))
            throw Input.Wrong("its next use is none that can be", "a later request, or -1", "request");
        record.TimeUs = BinaryPrimitives.ReadUInt32LittleEndian(piece) * 1_000_000L;
        record.OffsetBytes = BinaryPrimitives.ReadInt64LittleEndian(piece[ObjectAt..]);
        record.LengthBytes = Math.Max(1, BinaryPrimitives.ReadUInt32LittleEndian(piece[SizeAt..]));
        return true;
    }

    /// <summary>Its next use is one, or none: requests count from 0, which is nobody's next.</summary>
    public static bool IsPlausible(ReadOnlySpan<byte> piece) =>
        BinaryPrimitives.ReadInt64LittleEndian(piece[NextAt..]) is > 0 or -1 or -2;

    /// <summary>
    /// The beginning of such a trace: times that do not go back, sizes that objects have, and next uses behind their
    /// request or none.
    /// </summary>
    public static bool IsOne(ReadOnlySpan<byte> head)
    {
        const uint mostBytes = 1u << 31;
        uint lastS = 0;
        long count = head.Length / RecordBytes;
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> piece = head.Slice(i * RecordBytes, RecordBytes);
            uint timeS = BinaryPrimitives.ReadUInt32LittleEndian(piece);
            bool isOne = timeS >= lastS && IsPlausible(piece)
                && BinaryPrimitives.ReadUInt32LittleEndian(piece[SizeAt..]) < mostBytes;
            if (!isOne) return false;
            lastS = timeS;
        }
        return count > 0;
    }
}

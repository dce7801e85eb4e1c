using System;

namespace Weir.Core.Traces;

/// <summary>
/// A table of requests, with a header that names its columns in any order, or time, op, offset and length. Without an
/// operation all requests read. Times without a unit are seconds when they have a fraction, else microseconds.
/// </summary>
internal sealed class CsvReader : TraceReader
{
    private const double SecondUs = 1e6;

    private readonly CsvColumns _columns;
    private bool _hasSkippedHeader;

    public CsvReader(TraceInput input) : base(input, TraceFormat.Csv)
    {
        ReadOnlySpan<byte> head = input.Head;
        int end = head.IndexOf((byte)'\n');
        _columns = CsvColumns.Find((end < 0 ? head : head[..end]).TrimEnd((byte)'\r'))
            ?? throw new Base.UserErrorException(
                $"{input.Path}: line 1: '{Fields.Show(end < 0 ? head : head[..end])}'; expected a header with offset "
                + "and length, such as time,op,offset,length, or a row of these");
    }

    private protected override bool TryReadNext(ref TraceRecord record)
    {
        while (Input.TryReadLine(out ReadOnlySpan<byte> line))
        {
            if (_columns.HasHeader && !_hasSkippedHeader)
            {
                _hasSkippedHeader = true;
                continue;
            }
            // What 'weir record' has to say about its trace is a comment.
            if (line.IsEmpty || (Input.Number > 1 && line[0] == (byte)'#')) continue;
            ReadRow(line, ref record);
            if (record.LengthBytes > 0) return true;
        }
        return false;
    }

    private void ReadRow(ReadOnlySpan<byte> line, ref TraceRecord record)
    {
        ReadOnlySpan<byte> rest = line;
        record = default;
        int index = 0;
        ReadOnlySpan<byte> length = default;
        for (; index < _columns.Count && !rest.IsEmpty; index++)
        {
            ReadOnlySpan<byte> value = Fields.Value(ref rest, _columns.Separator);
            switch (_columns[index])
            {
                case CsvColumns.Column.Time: record.TimeUs = TimeOf(value); break;
                case CsvColumns.Column.Op: record.Op = OpOf(value); break;
                case CsvColumns.Column.Offset: record.OffsetBytes = OffsetOf(value); break;
                case CsvColumns.Column.Length: length = value; break;
                case CsvColumns.Column.Device: record.Device = DeviceOf(value); break;
                default: break;
            }
        }
        if (index < _columns.Count)
            throw Wrong($"{index} values: '{Fields.Show(line)}'", $"{_columns.Count}, as in line 1");
        record.LengthBytes = LengthOf(length, record.Op);
    }

    private TraceOp OpOf(ReadOnlySpan<byte> value) => CsvColumns.IsOp(value, out TraceOp op)
        ? op : throw Wrong($"'{Fields.Show(value)}'", "an operation: read, write or discard, or R, W or D");

    private long OffsetOf(ReadOnlySpan<byte> value) =>
        Bytes(value, OffsetBytesMax, (long)_columns.UnitOf(CsvColumns.Column.Offset), "an offset");

    // A discard may be as long as the device: it is no access, and its length does not matter.
    private long LengthOf(ReadOnlySpan<byte> value, TraceOp op)
    {
        long unit = (long)_columns.UnitOf(CsvColumns.Column.Length);
        return op == TraceOp.Discard
            ? Math.Min(LengthBytesMax, Bytes(value, OffsetBytesMax, unit, "a length"))
            : Bytes(value, LengthBytesMax, unit, "a length");
    }

    private long TimeOf(ReadOnlySpan<byte> value)
    {
        double unit = _columns.UnitOf(CsvColumns.Column.Time);
        if (unit == 0) unit = value.Contains((byte)'.') ? SecondUs : 1;
        return Fields.TryTime(value, unit, out long us) ? us : throw Wrong($"'{Fields.Show(value)}'", "a time");
    }
}

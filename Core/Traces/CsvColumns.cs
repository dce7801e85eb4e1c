using System;
using System.Collections.Generic;

namespace Weir.Core.Traces;

/// <summary>What the columns of a table hold, from its header or, without one, from its first row.</summary>
internal sealed class CsvColumns
{
    private const string Separators = ",;\t";

    private static readonly (string Name, Column Column, double Unit)[] s_names =
    [
        ("time", Column.Time, 0), ("timestamp", Column.Time, 0), ("ts", Column.Time, 0), ("t", Column.Time, 0),
        ("time_s", Column.Time, 1e6), ("time_sec", Column.Time, 1e6), ("time_ms", Column.Time, 1e3),
        ("time_us", Column.Time, 1), ("time_ns", Column.Time, 1e-3), ("timestamp_us", Column.Time, 1),
        ("timestamp_ns", Column.Time, 1e-3), ("timestamp_ms", Column.Time, 1e3), ("timestamp_s", Column.Time, 1e6),
        ("op", Column.Op, 1), ("operation", Column.Op, 1), ("type", Column.Op, 1), ("rw", Column.Op, 1),
        ("io_type", Column.Op, 1), ("iotype", Column.Op, 1), ("action", Column.Op, 1), ("opcode", Column.Op, 1),
        ("offset", Column.Offset, 1), ("offset_bytes", Column.Offset, 1), ("address", Column.Offset, 1),
        ("addr", Column.Offset, 1), ("start", Column.Offset, 1), ("lba", Column.Offset, 512),
        ("sector", Column.Offset, 512),
        ("length", Column.Length, 1), ("length_bytes", Column.Length, 1), ("len", Column.Length, 1),
        ("size", Column.Length, 1), ("size_bytes", Column.Length, 1), ("bytes", Column.Length, 1),
        ("sectors", Column.Length, 512), ("nr_sectors", Column.Length, 512), ("blocks", Column.Length, 512),
        ("device", Column.Device, 1), ("dev", Column.Device, 1), ("disk", Column.Device, 1),
        ("volume", Column.Device, 1), ("file", Column.Device, 1), ("device_id", Column.Device, 1),
    ];

    private readonly Column[] _columns;
    private readonly double[] _units = [1, 1, 1, 1, 1];

    private CsvColumns(byte separator, Column[] columns) => (Separator, _columns) = (separator, columns);

    /// <summary>Values of a row that count.</summary>
    public enum Column
    {
        Time,
        Op,
        Offset,
        Length,
        Device,
        Other,
    }

    /// <summary>Between the values.</summary>
    public byte Separator { get; }

    /// <summary>The first line is a header.</summary>
    public bool HasHeader { get; private init; }

    /// <summary>What the value number <paramref name="index"/> of a row is.</summary>
    public Column this[int index] => index < _columns.Length ? _columns[index] : Column.Other;

    /// <summary>Values that a row needs.</summary>
    public int Count => _columns.Length;

    /// <summary>The column's unit in bytes or microseconds; 0: not known.</summary>
    public double UnitOf(Column column) => _units[(int)column];

    /// <summary>The first line of a table could be this.</summary>
    public static bool CanBe(ReadOnlySpan<byte> line) => Find(line) != null;

    /// <summary>From the first line; null: it says too little.</summary>
    public static CsvColumns? Find(ReadOnlySpan<byte> line)
    {
        line = line.TrimStart("\uFEFF"u8).TrimStart((byte)'#');
        foreach (char separator in Separators)
            if (line.Contains((byte)separator))
                return OfHeader(line, (byte)separator) ?? OfRow(line, (byte)separator);
        return null;
    }

    private static CsvColumns? OfHeader(ReadOnlySpan<byte> line, byte separator)
    {
        List<Column> columns = [];
        double[] units = [0, 1, 1, 1, 1, 1];
        while (!line.IsEmpty)
        {
            (Column column, double unit) = Named(Fields.Value(ref line, separator));
            // The first of a kind counts.
            if (columns.Contains(column)) column = Column.Other;
            columns.Add(column);
            if (column != Column.Other) units[(int)column] = unit;
        }
        if (!columns.Contains(Column.Offset) || !columns.Contains(Column.Length)) return null;
        CsvColumns found = new(separator, [.. columns]) { HasHeader = true };
        units.AsSpan(0, found._units.Length).CopyTo(found._units);
        return found;
    }

    private static (Column Column, double Unit) Named(ReadOnlySpan<byte> name)
    {
        foreach ((string known, Column column, double unit) in s_names)
            if (Fields.Is(name, known)) return (column, unit);
        return (Column.Other, 1);
    }

    // Numbers around a word that is an operation: the time, if there are three, then offset and length.
    private static CsvColumns? OfRow(ReadOnlySpan<byte> line, byte separator)
    {
        const int most = 8;
        List<Column> columns = [];
        List<int> numbers = [];
        bool hasOp = false;
        while (!line.IsEmpty && columns.Count < most)
        {
            ReadOnlySpan<byte> value = Fields.Value(ref line, separator);
            bool isNumber = Fields.TryTime(value, 1, out _);
            bool isOp = !hasOp && !isNumber && IsOp(value, out _);
            hasOp |= isOp;
            if (isNumber) numbers.Add(columns.Count);
            columns.Add(isOp ? Column.Op : Column.Other);
        }
        if (!hasOp || numbers.Count is not (2 or 3)) return null;
        if (numbers.Count == 3) columns[numbers[0]] = Column.Time;
        columns[numbers[^2]] = Column.Offset;
        columns[numbers[^1]] = Column.Length;
        return new CsvColumns(separator, [.. columns]) { _units = { [0] = 0 } };
    }

    /// <summary>What a request does, by the words that traces have for it.</summary>
    public static bool IsOp(ReadOnlySpan<byte> text, out TraceOp op)
    {
        bool isRead = Fields.Is(text, "r") || Fields.Is(text, "read") || Fields.Is(text, "rs")
            || Fields.Is(text, "ra") || text.SequenceEqual("0"u8);
        bool isWrite = Fields.Is(text, "w") || Fields.Is(text, "write") || Fields.Is(text, "ws")
            || text.SequenceEqual("1"u8);
        op = isRead ? TraceOp.Read : isWrite ? TraceOp.Write : TraceOp.Discard;
        return isRead || isWrite || Fields.Is(text, "d") || Fields.Is(text, "discard") || Fields.Is(text, "trim")
            || Fields.Is(text, "unmap");
    }
}

using System;
using Weir.Core.Base;

namespace Weir.Core.Traces;

/// <summary>Tells kinds of traces from each other, by name and by content.</summary>
public static class TraceKinds
{
    /// <summary>As users write them.</summary>
    private static readonly (string Name, TraceFormat Format)[] s_names =
    [
        ("fio", TraceFormat.Fio), ("blkparse", TraceFormat.Blkparse), ("csv", TraceFormat.Csv),
        ("msr", TraceFormat.Msr), ("oracle", TraceFormat.Oracle),
    ];

    private const string Kinds = "a fio iolog, blkparse text, CSV, MSR Cambridge CSV or libCacheSim oracleGeneral, "
        + "plain, .gz or .zst";

    /// <summary>First line of a fio iolog.</summary>
    internal static ReadOnlySpan<byte> Fio2 => "fio version 2 iolog"u8;

    /// <summary>The same with times.</summary>
    internal static ReadOnlySpan<byte> Fio3 => "fio version 3 iolog"u8;

    /// <summary>For people: all names.</summary>
    public static string Names
    {
        get
        {
            string[] names = Array.ConvertAll(s_names, static pair => pair.Name);
            return string.Join(", ", names);
        }
    }

    /// <summary>The one called so; throws, naming those there are.</summary>
    public static TraceFormat Find(string name)
    {
        foreach ((string known, TraceFormat format) in s_names)
            if (known == name) return format;
        throw new UserErrorException($"--format {name}: expected {Names}", 2);
    }

    /// <summary>What it is called.</summary>
    public static string NameOf(TraceFormat format)
    {
        foreach ((string name, TraceFormat known) in s_names)
            if (known == format) return name;
        return "";
    }

    /// <summary>What the beginning of a trace says that it is. Throws when it says nothing.</summary>
    internal static TraceFormat Recognise(TraceInput input)
    {
        ReadOnlySpan<byte> head = input.Head;
        if (head.IsEmpty) throw new UserErrorException($"{input.Path}: is empty; expected {Kinds}");
        if (head.StartsWith("fio version "u8)) return TraceFormat.Fio;
        if (!IsText(head))
            return OracleReader.IsOne(head) ? TraceFormat.Oracle
                : throw new UserErrorException($"{input.Path}: is no trace that is known; expected {Kinds}");
        if (FirstLine(head, BlkparseLine)) return TraceFormat.Blkparse;
        if (FirstLine(head, MsrLine)) return TraceFormat.Msr;
        if (FirstLine(head, CsvColumns.CanBe)) return TraceFormat.Csv;
        throw new UserErrorException($"{input.Path}: is text, but no trace that is known; expected {Kinds}");
    }

    private delegate bool Line(ReadOnlySpan<byte> line);

    private static bool FirstLine(ReadOnlySpan<byte> head, Line isOne)
    {
        int end = head.IndexOf((byte)'\n');
        return isOne((end < 0 ? head : head[..end]).TrimEnd((byte)'\r'));
    }

    private static bool BlkparseLine(ReadOnlySpan<byte> line)
    {
        ReadOnlySpan<byte> device = Fields.Word(ref line);
        _ = Fields.Word(ref line);
        return BlkparseReader.IsDevice(device) && Fields.TryNumber(Fields.Word(ref line), out _);
    }

    private static bool MsrLine(ReadOnlySpan<byte> line)
    {
        if (line.Count((byte)',') != 6) return false;
        _ = Fields.Value(ref line, (byte)',');
        ReadOnlySpan<byte> host = Fields.Value(ref line, (byte)',');
        _ = Fields.Value(ref line, (byte)',');
        ReadOnlySpan<byte> type = Fields.Value(ref line, (byte)',');
        return Fields.Is(host, "Hostname") || Fields.Is(type, "Read") || Fields.Is(type, "Write");
    }

    // Control characters other than blanks and line ends are none.
    private static bool IsText(ReadOnlySpan<byte> head)
    {
        foreach (byte b in head)
            if (b < 0x20 && b is not ((byte)'\n' or (byte)'\r' or (byte)'\t')) return false;
        return true;
    }
}

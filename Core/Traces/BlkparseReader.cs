using System;

namespace Weir.Core.Traces;

/// <summary>
/// The text that blkparse prints, in its usual form: <c>MAJOR,MINOR CPU SEQUENCE SECONDS PID ACTION RWBS SECTOR +
/// SECTORS [PROCESS]</c> (man blkparse). A request passes several actions: it is taken where it is queued (Q), or where
/// a trace has no such lines, issued (D), or completed (C).
/// </summary>
internal sealed class BlkparseReader : TraceReader
{
    private const int SectorBytes = 512;

    /// <summary>What the summary begins with, behind the last event.</summary>
    private static readonly string[] s_summary =
        ["CPU", "Total", "Reads", "Read", "Writes", "Write", "PC", "IO", "Throughput", "Events", "Skips", "Allocation"];

    private readonly byte _action;

    public BlkparseReader(TraceInput input) : base(input, TraceFormat.Blkparse) => _action = ActionOf(input.Head);

    private protected override bool TryReadNext(ref TraceRecord record)
    {
        while (Input.TryReadLine(out ReadOnlySpan<byte> line))
        {
            ReadOnlySpan<byte> rest = line, device = Fields.Word(ref rest);
            if (device.IsEmpty) continue;
            if (!IsDevice(device))
            {
                if (IsSummary(device)) return false;
                throw Wrong($"'{Fields.Show(line)}'", "MAJOR,MINOR CPU SEQUENCE SECONDS PID ACTION RWBS ...");
            }
            if (IsRequest(rest, ref record))
            {
                record.Device = DeviceOf(device);
                return true;
            }
        }
        return false;
    }

    private bool IsRequest(ReadOnlySpan<byte> rest, ref TraceRecord record)
    {
        _ = Fields.Word(ref rest);
        _ = Fields.Word(ref rest);
        ReadOnlySpan<byte> time = Fields.Word(ref rest);
        if (!Fields.TryTime(time, 1e6, out record.TimeUs))
            throw Wrong($"'{Fields.Show(time)}'", "a time in seconds, as the fourth word");
        _ = Fields.Word(ref rest);
        ReadOnlySpan<byte> action = Fields.Word(ref rest);
        if (action.IsEmpty) throw Wrong("no action", "Q, D, C or another one, as the sixth word");
        if (action.Length != 1 || action[0] != _action) return false;
        ReadOnlySpan<byte> kind = Fields.Word(ref rest), sector = Fields.Word(ref rest);
        ReadOnlySpan<byte> plus = Fields.Word(ref rest), sectors = Fields.Word(ref rest);
        if (!IsOp(kind, out record.Op) || !plus.SequenceEqual("+"u8)) return false;
        // A discard may be as long as the device: it is no access, and its length does not matter.
        bool isLong = Fields.TryNumber(sectors, out long all) && all > LengthBytesMax / SectorBytes;
        if (isLong && record.Op == TraceOp.Discard) sectors = "1"u8;
        Place(ref record, sector, sectors, SectorBytes);
        return record.LengthBytes > 0;
    }

    // R, W and D with letters for how; F before W is a flush before it. Neither: a flush, or an order to a zone.
    private static bool IsOp(ReadOnlySpan<byte> kind, out TraceOp op)
    {
        op = kind.Contains((byte)'D') ? TraceOp.Discard : kind.Contains((byte)'R') ? TraceOp.Read : TraceOp.Write;
        return !kind.StartsWith("Z"u8) && (op != TraceOp.Write || kind.Contains((byte)'W'));
    }

    private static byte ActionOf(ReadOnlySpan<byte> head)
    {
        byte found = (byte)'C';
        while (!head.IsEmpty)
        {
            int end = head.IndexOf((byte)'\n');
            ReadOnlySpan<byte> line = end < 0 ? head : head[..end];
            head = end < 0 ? default : head[(end + 1)..];
            ReadOnlySpan<byte> action = default;
            for (int i = 0; i < 6; i++) action = Fields.Word(ref line);
            if (action.SequenceEqual("Q"u8)) return (byte)'Q';
            if (action.SequenceEqual("D"u8)) found = (byte)'D';
        }
        return found;
    }

    /// <summary>Two numbers with a comma between them.</summary>
    internal static bool IsDevice(ReadOnlySpan<byte> word)
    {
        int comma = word.IndexOf((byte)',');
        return comma > 0 && Fields.TryNumber(word[..comma], out _) && Fields.TryNumber(word[(comma + 1)..], out _);
    }

    private static bool IsSummary(ReadOnlySpan<byte> word)
    {
        foreach (string begin in s_summary)
            if (word.Length >= begin.Length && Fields.Is(word[..begin.Length], begin)) return true;
        return false;
    }
}

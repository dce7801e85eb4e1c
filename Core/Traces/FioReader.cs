using System;

namespace Weir.Core.Traces;

/// <summary>
/// What fio writes with <c>write_iolog</c> (fio documentation, "Trace file format"): version 2 has lines
/// <c>FILE ACTION [OFFSET LENGTH]</c> and waits, version 3 the time in microseconds before them.
/// </summary>
internal sealed class FioReader : TraceReader
{
    private readonly bool _hasTimes;
    private long _waitedUs;

    public FioReader(TraceInput input) : base(input, TraceFormat.Fio)
    {
        _ = input.TryReadLine(out ReadOnlySpan<byte> first);
        _hasTimes = first.SequenceEqual(TraceKinds.Fio3);
        if (!_hasTimes && !first.SequenceEqual(TraceKinds.Fio2))
            throw Wrong($"'{Fields.Show(first)}'", "'fio version 2 iolog' or 'fio version 3 iolog'");
    }

    private protected override bool TryReadNext(ref TraceRecord record)
    {
        while (Input.TryReadLine(out ReadOnlySpan<byte> line))
            if (!line.IsEmpty && IsRequest(line, ref record)) return true;
        return false;
    }

    private bool IsRequest(ReadOnlySpan<byte> line, ref TraceRecord record)
    {
        ReadOnlySpan<byte> rest = line;
        record.TimeUs = _waitedUs;
        if (_hasTimes) record.TimeUs = Time(Fields.Word(ref rest));
        ReadOnlySpan<byte> file = Fields.Word(ref rest), action = Fields.Word(ref rest);
        ReadOnlySpan<byte> offset = Fields.Word(ref rest), length = Fields.Word(ref rest);
        if (action.SequenceEqual("wait"u8) && !_hasTimes)
        {
            // Counted from the last one.
            _waitedUs = Math.Min(_waitedUs + Time(offset), long.MaxValue / 2);
            return false;
        }
        if (!IsOp(action, out record.Op)) return false;
        Place(ref record, offset, length);
        record.Device = DeviceOf(file);
        return record.LengthBytes > 0;
    }

    private bool IsOp(ReadOnlySpan<byte> action, out TraceOp op)
    {
        op = action.SequenceEqual("write"u8) ? TraceOp.Write
            : action.SequenceEqual("trim"u8) ? TraceOp.Discard : TraceOp.Read;
        if (op != TraceOp.Read || action.SequenceEqual("read"u8)) return true;
        bool isKnown = action.SequenceEqual("add"u8) || action.SequenceEqual("open"u8)
            || action.SequenceEqual("close"u8) || action.SequenceEqual("sync"u8)
            || action.SequenceEqual("datasync"u8) || action.SequenceEqual("sync_file_range"u8);
        if (isKnown) return false;
        throw Wrong($"'{Fields.Show(action)}'",
            "FILE and an action: read, write, trim, sync, datasync, add, open, close" + (_hasTimes ? "" : ", wait"));
    }

    private long Time(ReadOnlySpan<byte> text) => Fields.TryNumber(text, out long us) && us < long.MaxValue / 2
        ? us : throw Wrong($"'{Fields.Show(text)}'", "a time in microseconds");
}

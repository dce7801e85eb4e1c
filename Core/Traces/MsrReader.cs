using System;

namespace Weir.Core.Traces;

/// <summary>
/// The block traces of Microsoft Research Cambridge (D. Narayanan, A. Donnelly, A. Rowstron, "Write off-loading", FAST
/// 2008): <c>Timestamp,Hostname,DiskNumber,Type,Offset,Size,ResponseTime</c>; time in units of 100 ns since 1601.
/// </summary>
internal sealed class MsrReader(TraceInput input) : TraceReader(input, TraceFormat.Msr)
{
    private const string Form = "Timestamp,Hostname,DiskNumber,Type,Offset,Size,ResponseTime";
    private const int TicksPerUs = 10;

    private long _firstTicks = -1;

    private protected override bool TryReadNext(ref TraceRecord record)
    {
        while (Input.TryReadLine(out ReadOnlySpan<byte> line))
        {
            ReadOnlySpan<byte> rest = line, time = Fields.Value(ref rest, (byte)',');
            if (line.IsEmpty || (Input.Number == 1 && Fields.Is(time, "Timestamp"))) continue;
            if (!Fields.TryNumber(time, out long ticks)) throw Wrong($"'{Fields.Show(line)}'", Form);
            ReadOnlySpan<byte> afterTime = rest;
            _ = Fields.Value(ref rest, (byte)',');
            _ = Fields.Value(ref rest, (byte)',');
            ReadOnlySpan<byte> device = afterTime[..Math.Max(0, afterTime.Length - rest.Length - 1)];
            ReadOnlySpan<byte> type = Fields.Value(ref rest, (byte)','), offset = Fields.Value(ref rest, (byte)',');
            record.Op = Fields.Is(type, "Write") ? TraceOp.Write : Fields.Is(type, "Read") ? TraceOp.Read
                : throw Wrong($"'{Fields.Show(type)}'", $"Read or Write, as the fourth value ({Form})");
            Place(ref record, offset, Fields.Value(ref rest, (byte)','));
            record.Device = DeviceOf(device);
            if (_firstTicks < 0) _firstTicks = ticks;
            record.TimeUs = Math.Max(0, ticks - _firstTicks) / TicksPerUs;
            if (record.LengthBytes > 0) return true;
        }
        return false;
    }
}

namespace Weir.Core.Traces;

/// <summary>What a request of a trace does.</summary>
internal enum TraceOp : byte
{
    /// <summary>It reads.</summary>
    Read,
    /// <summary>It writes.</summary>
    Write,
    /// <summary>It gives the range back.</summary>
    Discard,
}

/// <summary>One request of a trace.</summary>
internal struct TraceRecord
{
    /// <summary>Since the beginning of whatever clock the trace has; never before the last one's.</summary>
    public long TimeUs;

    /// <summary>First byte on the device; or the name of an object (<see cref="TraceReader.HasObjects"/>).</summary>
    public long OffsetBytes;

    /// <summary>At least 1.</summary>
    public long LengthBytes;

    /// <summary>Of the devices in the trace, in the order in which they came.</summary>
    public int Device;

    /// <summary>What it does.</summary>
    public TraceOp Op;
}

/// <summary>The kinds of traces that are read.</summary>
public enum TraceFormat
{
    /// <summary>fio: <c>write_iolog</c>, versions 2 and 3.</summary>
    Fio,
    /// <summary>The text that blkparse prints.</summary>
    Blkparse,
    /// <summary>Values with commas, semicolons or tabs between them; a header, or time, op, offset, length.</summary>
    Csv,
    /// <summary>MSR Cambridge: Timestamp,Hostname,DiskNumber,Type,Offset,Size,ResponseTime.</summary>
    Msr,
    /// <summary>libCacheSim: oracleGeneral, 24 bytes for each request.</summary>
    Oracle,
}

using System;
using System.Collections.Generic;
using Weir.Core.Base;

namespace Weir.Core.Traces;

/// <summary>What is to be simulated.</summary>
/// <param name="Paths">Files, one after another, parts of one trace.</param>
/// <param name="Format">Their kind; null: their content says it.</param>
/// <param name="BlockBytes">Of a block of the cache.</param>
/// <param name="RequestsMax">The first so many.</param>
public sealed record TraceSource(IReadOnlyList<string> Paths, TraceFormat? Format, int BlockBytes, long RequestsMax)
{
    /// <summary>Requests between two reports of progress.</summary>
    private const int ReportRequests = 4096;

    /// <summary>Reads all of it. Throws <c>UserErrorException</c>.</summary>
    /// <param name="report">Is told now and then how many bytes of the files are read, of how many.</param>
    public CompactTrace Load(Action<long, long> report)
    {
        TraceDevices devices = new();
        CompactTraceBuilder? builder = null;
        bool hasObjects = false;
        long lastUs = 0;
        foreach (string path in Paths)
        {
            using TraceReader reader = TraceReader.Open(path, Format, devices);
            if (builder != null && hasObjects != reader.HasObjects)
                throw new UserErrorException(
                    $"{path}: is of {Of(reader.HasObjects)}, and {Paths[0]} of {Of(hasObjects)}; expected one kind");
            hasObjects = reader.HasObjects;
            builder ??= new CompactTraceBuilder(BlockBytes, hasObjects);
            lastUs = Read(reader, builder, lastUs, report);
        }
        if (builder == null || builder.Requests == 0)
            throw new UserErrorException($"{string.Join(' ', Paths)}: no reads or writes; expected at least one");
        return builder.Finish();
    }

    // A part whose clock begins anew goes on where the one before it ended.
    private long Read(TraceReader reader, CompactTraceBuilder builder, long lastUs, Action<long, long> report)
    {
        long count = 0, laterUs = -1;
        while (builder.Requests < RequestsMax && reader.TryRead(out TraceRecord record))
        {
            if (laterUs < 0) laterUs = Math.Max(0, lastUs - record.TimeUs);
            record.TimeUs += laterUs;
            lastUs = record.TimeUs;
            builder.Add(record);
            if (++count % ReportRequests == 0) report(reader.Input.DoneBytes, reader.Input.TotalBytes);
        }
        return lastUs;
    }

    private static string Of(bool hasObjects) => hasObjects ? "objects" : "devices";
}

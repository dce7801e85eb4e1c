using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using Weir.Core.Traces;

namespace Weir.Tests.Traces;

/// <summary>A trace in a file of its own, and what a reader makes of it.</summary>
internal sealed class TraceFile : IDisposable
{
    private readonly TestFolder _folder = new();

    public TraceFile(ReadOnlySpan<byte> bytes)
    {
        Path = _folder.PathOf("trace");
        File.WriteAllBytes(Path, bytes);
    }

    public TraceFile(string text) : this(Encoding.UTF8.GetBytes(text))
    {
    }

    public string Path { get; }

    /// <summary>All requests of a trace, and its kind.</summary>
    public static (TraceFormat Format, List<string> Requests) Read(string text, TraceFormat? format = null) =>
        Read(Encoding.UTF8.GetBytes(text), format);

    public static (TraceFormat Format, List<string> Requests) Read(ReadOnlySpan<byte> bytes, TraceFormat? format = null)
    {
        using TraceFile file = new(bytes);
        using TraceReader reader = TraceReader.Open(file.Path, format);
        List<string> requests = [];
        while (reader.TryRead(out TraceRecord one))
            requests.Add($"{one.TimeUs} {one.Op} {one.Device}:{one.OffsetBytes}+{one.LengthBytes}");
        return (reader.Format, requests);
    }

    public void Dispose() => _folder.Dispose();
}

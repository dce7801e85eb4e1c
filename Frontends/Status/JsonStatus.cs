using System;
using System.Buffers;
using System.Collections.Generic;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Weir.Core.Io;

namespace Weir.Frontends.Status;

/// <summary>Status figures as one JSON object on one line. Of several figures of one name the first counts.</summary>
internal sealed class JsonStatus : IStatusWriter, IDisposable
{
    private readonly ArrayBufferWriter<byte> _buffer = new();
    private readonly Utf8JsonWriter _json;
    private HashSet<string> _names = [];

    /// <summary>Opens the object.</summary>
    public JsonStatus()
    {
        // Nobody puts this into a web page: '+' and the like stay as they are.
        _json = new Utf8JsonWriter(_buffer, new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        _json.WriteStartObject();
    }

    /// <inheritdoc/>
    public void Number(string name, long value)
    {
        if (_names.Add(name)) _json.WriteNumber(name, value);
    }

    /// <inheritdoc/>
    public void Text(string name, string value)
    {
        if (_names.Add(name)) _json.WriteString(name, value);
    }

    /// <inheritdoc/>
    public void List(string name, int count, Action<IStatusWriter, int> report)
    {
        if (!_names.Add(name)) return;
        HashSet<string> outer = _names;
        _json.WriteStartArray(name);
        for (int i = 0; i < count; i++)
        {
            _names = [];
            _json.WriteStartObject();
            report(this, i);
            _json.WriteEndObject();
        }
        _json.WriteEndArray();
        _names = outer;
    }

    /// <inheritdoc/>
    public void Group(string name, Action<IStatusWriter> report)
    {
        if (!_names.Add(name)) return;
        HashSet<string> outer = _names;
        _names = [];
        _json.WriteStartObject(name);
        report(this);
        _json.WriteEndObject();
        _names = outer;
    }

    /// <summary>Closes the object and returns it.</summary>
    public string Finish()
    {
        _json.WriteEndObject();
        _json.Flush();
        return Encoding.UTF8.GetString(_buffer.WrittenSpan) + "\n";
    }

    /// <inheritdoc/>
    public void Dispose() => _json.Dispose();
}

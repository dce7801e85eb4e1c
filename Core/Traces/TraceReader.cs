using System;
using System.Collections.Generic;
using Weir.Core.Base;

namespace Weir.Core.Traces;

/// <summary>Reads a trace, one request after another, with bounded memory. One thread.</summary>
internal abstract class TraceReader : IDisposable
{
    /// <summary>More in one request is damage: no queue of the field takes as much.</summary>
    public const long LengthBytesMax = 1L << 30;

    /// <summary>No offset is beyond: no device is.</summary>
    public const long OffsetBytesMax = 1L << 60;

    private TraceDevices _devices = new();
    private byte[] _lastName = [];
    private int _lastDevice = -1;
    private long _lastUs;

    private protected TraceReader(TraceInput input, TraceFormat format)
    {
        Input = input;
        Format = format;
    }

    /// <summary>Its kind.</summary>
    public TraceFormat Format { get; }

    /// <summary>It knows objects, not bytes of a device: offsets are names, and neighbours are strangers.</summary>
    public virtual bool HasObjects => false;

    /// <summary>Of the file, for people who wait.</summary>
    public TraceInput Input { get; }

    /// <summary>Opens the trace at <paramref name="path"/>; without a format the content says which it is.</summary>
    /// <param name="path">A file, which may be compressed.</param>
    /// <param name="format">Its kind, when the user knows better.</param>
    /// <param name="devices">Those of the parts before it, if it is one of several.</param>
    /// <exception cref="UserErrorException">It cannot be read, or is none.</exception>
    public static TraceReader Open(string path, TraceFormat? format = null, TraceDevices? devices = null)
    {
        TraceInput input = TraceInput.Open(path);
        try
        {
            TraceReader reader = Make(input, format ?? TraceKinds.Recognise(input));
            if (devices != null) reader._devices = devices;
            return reader;
        }
        catch
        {
            input.Dispose();
            throw;
        }
    }

    /// <summary>
    /// The next request; false: there is none. Throws <c>UserErrorException</c> with the line and what was expected.
    /// </summary>
    public bool TryRead(out TraceRecord record)
    {
        record = default;
        if (!TryReadNext(ref record)) return false;
        // Clocks of several processors differ a little.
        record.TimeUs = _lastUs = Math.Max(_lastUs, record.TimeUs);
        return true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Input.Dispose();
        GC.SuppressFinalize(this);
    }

    private protected abstract bool TryReadNext(ref TraceRecord record);

    private protected UserErrorException Wrong(string found, string expected) => Input.Wrong(found, expected);

    /// <summary>Numbers devices by their names.</summary>
    private protected int DeviceOf(ReadOnlySpan<byte> name)
    {
        if (_lastDevice >= 0 && name.SequenceEqual(_lastName)) return _lastDevice;
        int device = _devices.NumberOf(name);
        if (device < 0)
            throw Wrong($"one more device, '{Fields.Show(name)}'", $"at most {TraceDevices.Max} in a trace");
        (_lastName, _lastDevice) = (name.ToArray(), device);
        return device;
    }

    /// <summary>Takes offset and length, which text has as numbers of <paramref name="unitBytes"/>.</summary>
    private protected void Place(
        ref TraceRecord record, ReadOnlySpan<byte> offset, ReadOnlySpan<byte> length, int unitBytes = 1)
    {
        record.OffsetBytes = Bytes(offset, OffsetBytesMax, unitBytes, "an offset");
        record.LengthBytes = Bytes(length, LengthBytesMax, unitBytes, "a length");
    }

    /// <summary>A number of bytes up to <paramref name="most"/>.</summary>
    private protected long Bytes(ReadOnlySpan<byte> text, long most, long unitBytes, string what)
    {
        if (!Fields.TryNumber(text, out long value) || value > most / unitBytes)
            throw Wrong($"'{Fields.Show(text)}'", $"{what}, 0 to {most / unitBytes}");
        return value * unitBytes;
    }

    private static TraceReader Make(TraceInput input, TraceFormat format) => format switch
    {
        TraceFormat.Fio => new FioReader(input),
        TraceFormat.Blkparse => new BlkparseReader(input),
        TraceFormat.Msr => new MsrReader(input),
        TraceFormat.Oracle => new OracleReader(input),
        _ => new CsvReader(input),
    };
}

/// <summary>Numbers the devices of a trace by their names, over all of its parts.</summary>
internal sealed class TraceDevices
{
    /// <summary>More are damage.</summary>
    public const int Max = 4096;

    private readonly Dictionary<string, int> _numbers = [];

    /// <summary>From 0 on; -1: there are too many.</summary>
    public int NumberOf(ReadOnlySpan<byte> name)
    {
        string key = System.Text.Encoding.Latin1.GetString(name);
        if (_numbers.TryGetValue(key, out int number)) return number;
        if (_numbers.Count == Max) return -1;
        _numbers[key] = _numbers.Count;
        return _numbers.Count - 1;
    }
}

using System;
using Weir.Core.Io;
using Weir.Core.Metadata;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Backings;

/// <summary>
/// Writes a table, both copies; see <see cref="TwoCopyWriter"/>. One update at a time; the owner calls
/// <see cref="Poll"/> and looks at <see cref="IsBusy"/> once per turn.
/// </summary>
internal sealed unsafe class TableWriter : IDisposable
{
    private readonly TwoCopyWriter _writer;

    /// <summary>A writer on the thread that owns <paramref name="io"/>, for a device that nobody else uses.</summary>
    public TableWriter(DeviceQueue cache, IoContext io) =>
        _writer = new TwoCopyWriter(TwoCopyTable.TableBytes, cache, io);

    /// <summary>A writer beside the log, on the thread of <paramref name="port"/>.</summary>
    public TableWriter(DeviceQueue cache, LogPort port) =>
        _writer = new TwoCopyWriter(TwoCopyTable.TableBytes, cache, port.Io, port);

    /// <summary>An update is under way.</summary>
    public bool IsBusy => _writer.IsBusy;

    /// <summary>How the last update ended: 0, or a negative errno.</summary>
    public int Result => _writer.Result;

    /// <summary>
    /// Starts to make <paramref name="table"/>, with the next generation, the durable one; the copy that may be lost
    /// first.
    /// </summary>
    public void Begin(TwoCopyTable table, bool copyBFirst = false)
    {
        table.Seal();
        Buffer.MemoryCopy(table.Pointer, _writer.Pointer, TwoCopyTable.TableBytes, TwoCopyTable.TableBytes);
        (long a, long b) = (table.OffsetA, table.OffsetB);
        _writer.Begin(copyBFirst ? b : a, copyBFirst ? a : b);
    }

    /// <inheritdoc cref="TwoCopyWriter.Poll"/>
    public void Poll() => _writer.Poll();

    /// <inheritdoc/>
    public void Dispose() => _writer.Dispose();
}

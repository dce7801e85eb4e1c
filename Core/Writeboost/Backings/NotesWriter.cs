using System;
using Weir.Core.Io;
using Weir.Core.Metadata;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Backings;

/// <summary>
/// Writes <see cref="SegmentNotes"/> of a cache that is served; see <see cref="TwoCopyWriter"/>. There is one copy: in
/// a torn one each device's place is old or new, and either is true. One update at a time; the owner calls
/// <see cref="Poll"/> and looks at <see cref="IsBusy"/> once per turn.
/// </summary>
internal sealed unsafe class NotesWriter(SegmentNotes notes, DeviceQueue cache, LogPort port)
    : IBackgroundTask, IDisposable
{
    private readonly TwoCopyWriter _writer = new(Geometry.BlockBytes, cache, port.Io, port);

    /// <summary>An update is under way.</summary>
    public bool IsBusy => _writer.IsBusy;

    /// <summary>How the last update ended: 0, or a negative errno.</summary>
    public int Result => _writer.Result;

    /// <summary>Starts to make durable what has been noted.</summary>
    public void Begin()
    {
        byte* from = notes.Pointer;
        Buffer.MemoryCopy(from, _writer.Pointer, Geometry.BlockBytes, Geometry.BlockBytes);
        _writer.Begin(SegmentLayout.NotesOffset, SegmentLayout.NotesOffset, copies: 1);
    }

    /// <inheritdoc cref="TwoCopyWriter.Poll"/>
    public void Poll() => _writer.Poll();

    void IBackgroundTask.Poll(long nowUs, BackgroundState state) => Poll();

    bool IBackgroundTask.IsQuiet => !IsBusy;

    /// <inheritdoc/>
    public void Dispose() => _writer.Dispose();
}

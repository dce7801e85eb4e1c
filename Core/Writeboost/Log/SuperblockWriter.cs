using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Metadata;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Log;

/// <summary>
/// Writes the superblock, all copies that its layout has; see <see cref="TwoCopyWriter"/>. One update at a time; the
/// owner calls <see cref="Poll"/> and looks at <see cref="IsBusy"/> once per turn.
/// </summary>
public sealed unsafe class SuperblockWriter : IBackgroundTask, IDisposable
{
    private readonly Layout _layout;
    private readonly TwoCopyWriter _writer;

    /// <summary>A writer on the thread that owns <paramref name="io"/>, for a device that nobody else uses.</summary>
    public SuperblockWriter(Layout layout, DeviceQueue cache, IoContext io)
    {
        _layout = layout;
        _writer = new TwoCopyWriter(Superblock.Bytes, cache, io);
    }

    /// <summary>A writer beside the log, on the thread of <paramref name="port"/>.</summary>
    public SuperblockWriter(Layout layout, DeviceQueue cache, LogPort port)
    {
        _layout = layout;
        _writer = new TwoCopyWriter(Superblock.Bytes, cache, port.Io, port);
    }

    /// <summary>An update is under way.</summary>
    public bool IsBusy => _writer.IsBusy;

    /// <summary>How the last update ended: 0, or a negative errno.</summary>
    public int Result => _writer.Result;

    /// <summary>Starts to make <paramref name="superblock"/>, with the next generation, the durable one.</summary>
    public void Begin(ref Superblock superblock, bool copyBFirst = false)
    {
        bool last = copyBFirst && !Mutant.Is(WriteboostMutant.R12WholeCopyFirst);
        superblock.Generation++;
        _layout.WriteSuperblock(superblock, _writer.Pointer);
        int copies = _layout.SuperblockCopies;
        long a = _layout.SuperblockOffset(0), b = _layout.SuperblockOffset(copies - 1);
        _writer.Begin(last ? b : a, last ? a : b, copies);
    }

    /// <inheritdoc cref="TwoCopyWriter.Poll"/>
    public void Poll() => _writer.Poll();

    void IBackgroundTask.Poll(long nowUs, BackgroundState state) => Poll();

    bool IBackgroundTask.IsQuiet => !IsBusy;

    /// <inheritdoc/>
    public void Dispose() => _writer.Dispose();
}

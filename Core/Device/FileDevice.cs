using System;
using System.Collections.Generic;
using System.Threading;
using Weir.Core.Io;
using Weir.Native;

namespace Weir.Core.Devices;

/// <summary>
/// A file or block device, read and written around the page cache (O_DIRECT), by one owner at a time (R16).
/// Opened by <see cref="FileOpener"/>.
/// </summary>
public sealed class FileDevice : Device
{
    private int _fd;
    private int _lacking;
    private long _sizeBytes;

    internal FileDevice(int fd, FileFacts facts)
    {
        _fd = fd;
        Facts = facts;
        _sizeBytes = facts.SizeBytes;
    }

    /// <summary>What was found when it was opened.</summary>
    public FileFacts Facts { get; }

    /// <inheritdoc/>
    public override string Name => Facts.Path;

    /// <inheritdoc/>
    public override long SizeBytes => Volatile.Read(ref _sizeBytes);

    /// <inheritdoc/>
    public override int LogicalBlockBytes => Facts.LogicalBlockBytes;

    /// <summary>fdatasync reaches the disk's own cache on both.</summary>
    public override bool CanFlush => true;

    /// <summary>On block devices, and where the file system is known to carry it through.</summary>
    public override bool CanWriteDurably => Facts.WritesDurably;

    /// <inheritdoc/>
    public override string Identity => Facts.Identity;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Identities => Facts.Identities;

    /// <inheritdoc/>
    public override bool TryGrow()
    {
        long size = FileOpener.SizeOf(_fd, Facts);
        if (size <= SizeBytes) return false;
        Volatile.Write(ref _sizeBytes, size);
        return true;
    }

    /// <inheritdoc/>
    public override string KernelName => Facts.IsBlockDevice && Libc.Status(_fd, out statx status) == 0
        ? $"{status.stx_rdev_major}:{status.stx_rdev_minor}" : Name;

    /// <summary>One line to print, when something is not as good as it could be; else null.</summary>
    public string? Warning => Facts.Warning;

    internal int Descriptor => _fd;

    /// <summary>Opens PATH; see <see cref="FileOpener.Open"/>.</summary>
    public static FileDevice Open(string path, bool readOnly = false) => FileOpener.Open(path, readOnly);

    /// <inheritdoc/>
    public override DeviceQueue OpenQueue(IoContext io) => io is RingContext ring
        ? new FileDeviceQueue(ring, this)
        : throw new ArgumentException("a file needs a RingContext", nameof(io));

    /// <inheritdoc/>
    public override long ExtentEnd(long offsetBytes, out bool isHole)
    {
        isHole = false;
        long data = Libc.Seek(_fd, offsetBytes, Const.SEEK_DATA);
        // ENXIO: no data from here to the end. Any other error: this file system cannot tell.
        if (data == -Errno.ENXIO) data = SizeBytes;
        if (data < 0) return SizeBytes;
        long holeEnd = Math.Min(data, SizeBytes) & -LogicalBlockBytes;
        if (holeEnd > offsetBytes)
        {
            isHole = true;
            return holeEnd;
        }
        long hole = Libc.Seek(_fd, offsetBytes, Const.SEEK_HOLE);
        return hole <= offsetBytes
            ? SizeBytes
            : Math.Min((hole + LogicalBlockBytes - 1) & -LogicalBlockBytes, SizeBytes);
    }

    /// <inheritdoc/>
    public override int Preallocate() =>
        Facts.IsBlockDevice ? 0 : Libc.AllocateAnyhow(_fd, 0, SizeBytes);

    /// <summary>A file beside the file; for a block device, one in <see cref="FileNotes.StateFolder"/>.</summary>
    public override int LeaveNote(string name, string text) => FileNotes.Leave(FileNotes.PlaceOf(Facts, name), text);

    /// <inheritdoc/>
    public override string? FindNote(string name) => FileNotes.Find(FileNotes.PlaceOf(Facts, name));

    /// <summary>Gives the lock back and closes. Queues are gone by then.</summary>
    public override void Dispose()
    {
        int fd = Interlocked.Exchange(ref _fd, -1);
        if (fd < 0) return;
        // A ring may still hold the open file description for a moment; the lock need not wait for that.
        FileLock.Unlock(fd);
        _ = Libc.Close(fd);
    }

    internal bool CanPunchHole => (Volatile.Read(ref _lacking) & Const.FALLOC_FL_PUNCH_HOLE) == 0;

    internal bool CanZeroRange => (Volatile.Read(ref _lacking) & Const.FALLOC_FL_ZERO_RANGE) == 0;

    /// <summary>Remembers that the kernel refused a fallocate mode here, so that it is not asked again.</summary>
    internal void Lacks(int mode) =>
        Interlocked.Or(ref _lacking, mode & (Const.FALLOC_FL_PUNCH_HOLE | Const.FALLOC_FL_ZERO_RANGE));
}

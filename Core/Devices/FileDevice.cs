using System;
using System.Collections.Generic;
using System.IO;
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
    private int _tailFd;
    private int _lacking;
    private readonly Lock _opening = new();
    private FileDeviceQueue[] _queues = [];
    private readonly BufferedPages _buffered;
    private readonly string _fullPath;
    private long _clientBytes;

    /// <param name="fd">Around the page cache.</param>
    /// <param name="tailFd">Through the page cache, for the end of a file that is not whole blocks; else -1.</param>
    /// <param name="facts">What is known of it.</param>
    internal FileDevice(int fd, int tailFd, FileFacts facts)
    {
        _fd = fd;
        _tailFd = tailFd;
        Facts = facts;
        _fullPath = Path.GetFullPath(facts.Path);
        _clientBytes = facts.SizeBytes;
        _buffered = new BufferedPages(facts.CachedUnitBytes);
        if (tailFd >= 0) _buffered.Add(facts.SizeBytes);
    }

    /// <summary>What was found when it was opened.</summary>
    public FileFacts Facts { get; }

    /// <inheritdoc/>
    public override string Name => Facts.Path;

    /// <inheritdoc/>
    public override long SizeBytes => (ClientBytes + LogicalBlockBytes - 1) & -LogicalBlockBytes;

    /// <inheritdoc/>
    public override long ClientBytes => Volatile.Read(ref _clientBytes);

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
    public override bool TryGrow(long mostBytes, out long foundBytes)
    {
        long size = foundBytes = FileOpener.SizeOf(_fd, Facts);
        // Opened for whole blocks, it stays so: the next start takes the rest.
        if (_tailFd < 0) size &= -LogicalBlockBytes;
        if (size <= ClientBytes || size > mostBytes) return false;
        if (size % LogicalBlockBytes != 0) _buffered.Add(size);
        Volatile.Write(ref _clientBytes, size);
        return true;
    }

    /// <inheritdoc/>
    public override string KernelName => Facts.IsBlockDevice && Libc.Status(_fd, out statx status) == 0
        ? $"{status.stx_rdev_major}:{status.stx_rdev_minor}" : _fullPath;

    /// <inheritdoc/>
    public override ulong ChangeStamp => ChangeStamps.Of(_fd, Facts.IsBlockDevice);

    /// <summary>One line to print, when something is not as good as it could be; else null.</summary>
    public string? Warning => Facts.Warning;

    internal int Descriptor => _fd;

    /// <summary>Through the page cache; -1: no part of the file needs it.</summary>
    internal int TailDescriptor => _tailFd;

    /// <summary>What goes through <see cref="TailDescriptor"/>.</summary>
    internal BufferedPages Buffered => _buffered;

    /// <summary>Opens PATH; see <see cref="FileOpener.Open"/>.</summary>
    public static FileDevice Open(string path, bool readOnly = false, bool anySize = false) =>
        FileOpener.Open(path, readOnly, anySize);

    /// <inheritdoc/>
    public override DeviceQueue OpenQueue(IoContext io)
    {
        FileDeviceQueue queue = io is RingContext ring
            ? new FileDeviceQueue(ring, this)
            : throw new ArgumentException("a file needs a RingContext", nameof(io));
        lock (_opening) _queues = [.. _queues, queue];
        return queue;
    }

    /// <inheritdoc/>
    public override long SilentMs
    {
        get
        {
            long most = 0;
            foreach (FileDeviceQueue queue in Volatile.Read(ref _queues)) most = Math.Max(most, queue.SilentMs);
            return most;
        }
    }

    internal void Closed(FileDeviceQueue closed)
    {
        lock (_opening) _queues = Array.FindAll(_queues, queue => queue != closed);
    }

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
    public override int Preallocate(long fromBytes, long endBytes) =>
        Facts.IsBlockDevice ? 0 : new FileSpace(_fd).Take(fromBytes, endBytes);

    /// <inheritdoc/>
    public override void GiveBack(long fromBytes, long endBytes)
    {
        if (!Facts.IsBlockDevice) new FileSpace(_fd).GiveBack(fromBytes, endBytes);
    }

    /// <summary>A file in <see cref="FileNotes.StateFolder"/>; of a file, one beside it too.</summary>
    public override int LeaveNote(string name, string text) => FileNotes.Leave(Facts, name, text);

    /// <inheritdoc/>
    public override string? FindNote(string name) => FileNotes.Find(Facts, name);

    /// <summary>Gives the lock back and closes. Queues are gone by then.</summary>
    public override void Dispose()
    {
        int fd = Interlocked.Exchange(ref _fd, -1);
        if (fd < 0) return;
        if (_tailFd >= 0) _ = Libc.Close(_tailFd);
        _tailFd = -1;
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

using System.IO;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Native;
using Xunit;

namespace Weir.Tests.Devices;

public sealed unsafe class FileOpenerTests
{
    [Fact]
    public void WhatCannotBeServedIsNamedInOneLine()
    {
        using TemporaryFile empty = new(0), odd = new(1000);
        string directory = Path.GetTempPath();
        ExpectError(Path.Combine(directory, "weir-test-no-such-file"), "No such file");
        ExpectError(directory, "is a directory");
        ExpectError("/dev/null", "neither a file nor a block device");
        ExpectError(empty.Path, "0 bytes");
        ExpectError(odd.Path, "1000 bytes are not a whole number of");
        ExpectError("bad\0path", "Invalid argument");
    }

    [Fact]
    public void OneWriterOrManyReaders()
    {
        using TemporaryFile file = new(1 << 20);
        using (FileDevice.Open(file.Path))
        {
            ExpectError(file.Path, "in use by another weir");
            ExpectError(file.Path, "in use by another weir", readOnly: true);
        }
        using FileDevice first = FileDevice.Open(file.Path, readOnly: true);
        using FileDevice second = FileDevice.Open(file.Path, readOnly: true);
        Assert.True(second.Facts.IsReadOnly);
        ExpectError(file.Path, "in use by another weir");
    }

    /// <summary>A dying owner's lock is waited for.</summary>
    [Fact]
    public void ALockThatIsGivenBackIsTaken()
    {
        using TemporaryFile file = new(4096);
        int owner = Libc.Open(file.Path, Const.O_RDONLY | Const.O_CLOEXEC);
        int waiter = Libc.Open(file.Path, Const.O_RDONLY | Const.O_CLOEXEC);
        Assert.Equal(0, FileLock.TryLock(owner, shared: false, patienceMs: 0));
        Assert.Equal(-Errno.EAGAIN, FileLock.TryLock(waiter, shared: false, patienceMs: 0));
        Thread release = new(() =>
        {
            Thread.Sleep(50);
            FileLock.Unlock(owner);
        });
        release.Start();
        Assert.Equal(0, FileLock.TryLock(waiter, shared: false, patienceMs: 60_000));
        release.Join();
        Assert.Equal((0, 0), (Libc.Close(owner), Libc.Close(waiter)));
    }

    /// <summary>Disposing gives the lock back, although the ring still knows the file.</summary>
    [Fact]
    public void TheLockEndsWithTheDevice()
    {
        using TemporaryFile file = new(1 << 20);
        using DeviceClient h = new();
        using (FileDevice device = FileDevice.Open(file.Path))
            Assert.Equal(4096, h.Run(device.OpenQueue(h.Io), IoKind.Read, 0, 4096));
        int fd = Libc.Open(file.Path, Const.O_RDONLY | Const.O_CLOEXEC);
        Assert.Equal(0, FileLock.TryLock(fd, shared: false, patienceMs: 0));
        Assert.Equal(0, Libc.Close(fd));
    }

    [Fact]
    public void ReadOnlyCannotWrite()
    {
        using TemporaryFile file = new(1 << 20);
        using DeviceClient h = new();
        using FileDevice device = FileDevice.Open(file.Path, readOnly: true);
        DeviceQueue queue = device.OpenQueue(h.Io);
        Assert.Equal(4096, h.Run(queue, IoKind.Read, 0, 4096));
        Assert.Equal(-Errno.EBADF, h.Run(queue, IoKind.Write, 0, 4096));
    }

    [Fact]
    public void DescriptionsOpenWhatTheySay()
    {
        using TemporaryFile file = new(1 << 20);
        using (Weir.Core.Io.Device slow = DeviceOpener.Open($"slow:{file.Path}?seek=1ms&bandwidth=100M"))
        {
            Assert.Equal(1 << 20, slow.SizeBytes);
            Assert.Null(DeviceOpener.Warning(slow));
            Assert.StartsWith("file:", slow.Identity);
        }
        using Weir.Core.Io.Device ram = DeviceOpener.Open("ram:3M"), plain = DeviceOpener.Open(file.Path);
        Assert.Equal(3 << 20, ram.SizeBytes);
        Assert.IsType<FileDevice>(plain);
    }

    private static void ExpectError(string path, string part, bool readOnly = false)
    {
        UserErrorException e = Assert.Throws<UserErrorException>(() => FileDevice.Open(path, readOnly));
        Assert.Contains(part, e.Message);
        Assert.DoesNotContain("\n", e.Message);
        Assert.Equal(1, e.ExitCode);
    }
}

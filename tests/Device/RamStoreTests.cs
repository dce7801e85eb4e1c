using System;
using System.IO;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Native;
using Xunit;

namespace Weir.Tests.Devices;

public sealed unsafe class RamStoreTests
{
    [Fact]
    public void RegionsOutliveTheirMappingAndTheirStore()
    {
        string name = $"test-{Guid.NewGuid():n}";
        SharedMemoryStore store = new();
        Assert.Null(store.Open(name));
        using (IRamRegion region = store.Create(name, 100_000))
        {
            Assert.True(Harness.IsZero(region.Pointer, 100_000));
            Assert.Equal(0, (nint)region.Pointer % 4096);
            Harness.Fill(region.Pointer, 100_000, 1);
        }
        string path = Path.Combine(SharedMemoryStore.DefaultDirectory, "weir-" + name);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        byte[] expected = File.ReadAllBytes(path);
        using (IRamRegion? region = new SharedMemoryStore().Open(name))
        {
            Assert.NotNull(region);
            Assert.Equal(100_000, region.SizeBytes);
            Assert.True(new ReadOnlySpan<byte>(region.Pointer, 100_000).SequenceEqual(expected));
            using IRamRegion replaced = store.Create(name, 8192);
            Assert.True(Harness.IsZero(replaced.Pointer, 8192));
            // The old mapping is still good.
            Assert.True(new ReadOnlySpan<byte>(region.Pointer, 100_000).SequenceEqual(expected));
        }
        store.Delete(name);
        store.Delete(name);
        Assert.Null(store.Open(name));
        Assert.Equal(36, store.BootId.Length);
        Assert.True(store.OutlivesProcess);
    }

    [Fact]
    public void OtherFileSystemsAndStrangeFilesAreRefused()
    {
        UserErrorException e = Assert.Throws<UserErrorException>(() => new SharedMemoryStore("/proc"));
        Assert.Contains("not on tmpfs", e.Message);
        Assert.Throws<UserErrorException>(() => new SharedMemoryStore("/no/such/directory"));
        SharedMemoryStore store = new();
        string name = $"test-{Guid.NewGuid():n}";
        string path = Path.Combine(SharedMemoryStore.DefaultDirectory, "weir-" + name);
        using TemporaryFile target = new(4096);
        File.CreateSymbolicLink(path, target.Path);
        Assert.Throws<UserErrorException>(() => store.Open(name));
        using (store.Create(name, 4096)) Assert.Null(new FileInfo(path).LinkTarget);
        store.Delete(name);
        Assert.True(File.Exists(target.Path));
    }

    /// <summary>A file without its size yet, left by a process that died between two calls, counts as none.</summary>
    [Fact]
    public void AnEmptyFileIsNoRegion()
    {
        SharedMemoryStore store = new();
        string name = $"test-{Guid.NewGuid():n}";
        string path = Path.Combine(SharedMemoryStore.DefaultDirectory, "weir-" + name);
        File.WriteAllBytes(path, []);
        Assert.Null(store.Open(name));
        store.Delete(name);
    }

    [Fact]
    public void MoreThanThereIsIsAnErrorAtOnce()
    {
        SharedMemoryStore store = new();
        string name = $"test-{Guid.NewGuid():n}";
        UserErrorException e = Assert.Throws<UserErrorException>(() => store.Create(name, 1L << 50));
        Assert.Contains("allocate", e.Message);
        Assert.Null(store.Open(name));
    }

    [Fact]
    public void PrivateMemoryIsForgotten()
    {
        PrivateMemoryStore store = new();
        Assert.False(store.OutlivesProcess);
        using IRamRegion region = store.Create("x", 3 << 20);
        Assert.Equal(3 << 20, region.SizeBytes);
        Assert.True(Harness.IsZero(region.Pointer, region.SizeBytes));
        Assert.Null(store.Open("x"));
    }

    [Fact]
    public void BigSlabsAreAlignedForHugePages()
    {
        using Slab big = new(5 << 20), small = new(5000);
        Assert.Equal(0, (nint)big.Start % (nint)Slab.HugePageBytes);
        Assert.Equal(6 << 20, big.SizeBytes);
        Assert.Equal(0, (nint)small.Start % 4096);
        Assert.Equal(8192, small.SizeBytes);
        Assert.True(Harness.IsZero(big.Start, big.SizeBytes));
        Assert.True(MemoryLock.LimitBytes > 0);
    }
}

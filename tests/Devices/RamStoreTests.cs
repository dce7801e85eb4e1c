using System;
using System.IO;
using System.Linq;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Native;
using Xunit;

namespace Weir.Tests.Devices;

public sealed unsafe class RamStoreTests(ITestOutputHelper output)
{
    [Fact]
    public void RegionsOutliveTheirMappingAndTheirStore()
    {
        string name = $"test-{Guid.NewGuid():n}";
        SharedMemoryStore store = new();
        Assert.Empty(store.Open(name));
        using (IRamRegion region = store.Create(name, 100_000))
        {
            Assert.True(DeviceClient.IsZero(region.Pointer, 100_000));
            Assert.Equal(0, (nint)region.Pointer % 4096);
            DeviceClient.Fill(region.Pointer, 100_000, 1);
        }
        string path = PathOf(name);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        byte[] expected = File.ReadAllBytes(path);
        using (IRamRegion region = Assert.Single(new SharedMemoryStore().Open(name)))
        {
            Assert.Equal(100_000, region.SizeBytes);
            Assert.True(new ReadOnlySpan<byte>(region.Pointer, 100_000).SequenceEqual(expected));
            using IRamRegion replaced = store.Create(name, 8192);
            Assert.True(DeviceClient.IsZero(replaced.Pointer, 8192));
            // The old mapping is still good.
            Assert.True(new ReadOnlySpan<byte>(region.Pointer, 100_000).SequenceEqual(expected));
        }
        store.Delete(name);
        store.Delete(name);
        Assert.Empty(store.Open(name));
        Assert.Equal(36, store.BootId.Length);
        Assert.True(store.OutlivesProcess);
    }

    [Fact]
    public void OtherFileSystemsAndStrangeFilesAreRefused()
    {
        UserErrorException e = Assert.Throws<UserErrorException>(() => new SharedMemoryStore("/proc"));
        Assert.Contains("not on tmpfs", e.Message);
        Assert.Throws<UserErrorException>(() => new SharedMemoryStore("/no/such/directory"));
        SharedMemoryStore store = new(SharedMemoryStore.DefaultDirectory);
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
        SharedMemoryStore store = new(SharedMemoryStore.DefaultDirectory);
        string name = $"test-{Guid.NewGuid():n}";
        string path = Path.Combine(SharedMemoryStore.DefaultDirectory, "weir-" + name);
        File.WriteAllBytes(path, []);
        Assert.Empty(store.Open(name));
        store.Delete(name);
    }

    [Fact]
    public void MoreThanThereIsIsAnErrorAtOnce()
    {
        SharedMemoryStore store = new();
        string name = $"test-{Guid.NewGuid():n}";
        UserErrorException e = Assert.Throws<UserErrorException>(() => store.Create(name, 1L << 50));
        Assert.Contains("allocate", e.Message);
        Assert.Empty(store.Open(name));
    }

    private static string PathOf(string name) => MemoryPlaces.ToSearch(null)
        .Select(place => Path.Combine(place, "weir-" + name)).Single(File.Exists);

    /// <summary>What one start left in a place of its own, another finds that makes its memory elsewhere.</summary>
    [Fact]
    public void EveryPlaceIsSearched()
    {
        string name = $"test-{Guid.NewGuid():n}";
        using TmpfsFolder folder = new();
        SharedMemoryStore here = new(folder.Path), shm = new(SharedMemoryStore.DefaultDirectory);
        using (IRamRegion region = shm.Create(name, 4096)) region.Pointer[0] = 7;
        using (IRamRegion region = Assert.Single(here.Open(name))) Assert.Equal(7, region.Pointer[0]);
        using (IRamRegion region = Assert.Single(new PrivateMemoryStore(MemoryPlaces.ToSearch(null)).Open(name)))
            Assert.Equal(7, region.Pointer[0]);
        // New memory takes the place of all others.
        using (IRamRegion region = here.Create(name, 4096))
            Assert.StartsWith(folder.Path, region.Place, StringComparison.Ordinal);
        Assert.Empty(shm.Open(name));
        Assert.Single(here.Open(name)).Dispose();
        here.Delete(name);
        Assert.Empty(here.Open(name));
    }

    [Theory]
    [InlineData("removed")]
    [InlineData("renamed")]
    [InlineData("replaced")]
    [InlineData("cut")]
    [InlineData("longer")]
    [InlineData("folder renamed")]
    [InlineData("mounted over")]
    public void EveryWayToVanishIsNoticed(string way)
    {
        using TmpfsFolder folder = new();
        SharedMemoryStore store = new(folder.Path);
        using IRamRegion region = store.Create("x", 8192);
        Assert.True(region.CanVanish);
        Assert.Null(region.FindLoss());
        // A thread that serves clients asks.
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++) _ = region.FindLoss();
        Assert.Equal(allocated, GC.GetAllocatedBytesForCurrentThread());
        Assert.Equal(Path.Combine(folder.Path, "weir-x"), region.Place);
        switch (way)
        {
            case "removed": File.Delete(region.Place); break;
            case "renamed": File.Move(region.Place, region.Place + "y"); break;
            case "replaced":
                File.WriteAllBytes(region.Place + "y", new byte[8192]);
                File.Move(region.Place + "y", region.Place, overwrite: true);
                break;
            case "cut": Resize(region.Place, 4096); break;
            case "longer": Resize(region.Place, 16384); break;
            case "folder renamed": Directory.Move(folder.Path, folder.Path + "y"); break;
            default:
                if (!folder.TryMount("1m", output.WriteLine)) return;
                break;
        }
        Assert.NotNull(region.FindLoss());
    }

    [Fact]
    public void AFullPlaceSaysWhatThereIs()
    {
        using TmpfsFolder folder = new();
        if (!folder.TryMount("1m", output.WriteLine)) return;
        SharedMemoryStore store = new(folder.Path);
        Assert.Equal(1 << 20, store.RoomBytes);
        UserErrorException e = Assert.Throws<UserErrorException>(() => store.Create("x", 2 << 20));
        Assert.Contains("cannot allocate 2 MiB", e.Message, StringComparison.Ordinal);
        Assert.Contains("1 MiB there", e.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(folder.Path));
        using (store.Create("x", 1 << 20)) Assert.Equal(0, store.RoomBytes);
    }

    [Fact]
    public void MemoryIsLockedWhileItIsUsed()
    {
        using TmpfsFolder folder = new();
        SharedMemoryStore store = new(folder.Path);
        MemoryFile file;
        using (store.Create("x", 8192))
        {
            file = Assert.Single(MemoryFile.All([folder.Path], 16, Assert.Fail));
            Assert.True(file.IsInUse);
            Assert.False(file.TryRemove());
        }
        file = Assert.Single(MemoryFile.All([folder.Path, "/no/such/directory"], 16, Assert.Fail));
        Assert.Equal((8192L, false, 16), (file.SizeBytes, file.IsInUse, file.Head.Length));
        Assert.True(file.TryRemove());
        Assert.True(file.TryRemove());
        Assert.Empty(Directory.GetFiles(folder.Path));
    }

    private static void Resize(string path, long sizeBytes)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        file.SetLength(sizeBytes);
    }

    [Fact]
    public void PrivateMemoryIsForgotten()
    {
        PrivateMemoryStore store = new();
        Assert.False(store.OutlivesProcess);
        using IRamRegion region = store.Create("x", 3 << 20);
        Assert.Equal(3 << 20, region.SizeBytes);
        Assert.True(DeviceClient.IsZero(region.Pointer, region.SizeBytes));
        Assert.Empty(store.Open("x"));
    }

    [Fact]
    public void BigSlabsAreAlignedForHugePages()
    {
        using Slab big = new(5 << 20), small = new(5000);
        Assert.Equal(0, (nint)big.Start % (nint)Slab.HugePageBytes);
        Assert.Equal(6 << 20, big.SizeBytes);
        Assert.Equal(0, (nint)small.Start % 4096);
        Assert.Equal(8192, small.SizeBytes);
        Assert.True(DeviceClient.IsZero(big.Start, big.SizeBytes));
        Assert.True(MemoryLock.LimitBytes > 0);
    }
}

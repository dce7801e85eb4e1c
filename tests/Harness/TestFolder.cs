using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using Weir.Core.Devices;
using Weir.Tests.Tidy;

namespace Weir.Tests.Harness;

/// <summary>A folder for one test, with sparse files for devices; gone afterwards, shared memory included.</summary>
internal sealed class TestFolder : IDisposable
{
    private readonly List<string> _caches = [];

    public TestFolder()
        : this(Directory.CreateTempSubdirectory("weir-e2e-").FullName)
    {
    }

    private TestFolder(string path) => Path = path;

    /// <summary>One on a disk, where the kernel counts what is written: beside the build's own files.</summary>
    public static TestFolder OnDisk()
    {
        string path = System.IO.Path.Combine(SourceTree.Root, "out", $"weir-e2e-{Guid.NewGuid():N}");
        return new TestFolder(Directory.CreateDirectory(path).FullName);
    }

    public string Path { get; }

    public string PathOf(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>A file full of holes.</summary>
    public string File(string name, long sizeBytes)
    {
        using FileStream file = System.IO.File.Create(PathOf(name));
        file.SetLength(sizeBytes);
        return PathOf(name);
    }

    /// <summary>Remembers a cache whose shared memory must not outlive the test.</summary>
    public void Remember(WeirProcess weir) => _caches.Add(weir.Text("cache_uuid"));

    /// <summary>What a reboot does to memory that outlives the process; true when there was some.</summary>
    public bool ForgetMemory()
    {
        bool any = false;
        foreach (string cache in _caches)
            foreach (string file in MemoryOf(cache))
            {
                System.IO.File.Delete(file);
                any = true;
            }
        return any;
    }

    /// <summary>The files of memory that outlives the process, of the cache with this UUID.</summary>
    public static string[] MemoryOf(string cache) =>
    [
        .. MemoryPlaces.ToSearch(null).Where(Directory.Exists)
            .SelectMany(place => Directory.GetFiles(place, $"weir-*{cache}*")),
    ];

    /// <summary>Tells whether a file's contents changed.</summary>
    public static string HashOf(string path)
    {
        // Shared for writing: others may hold the file, and .NET would lock it.
        using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        return Convert.ToHexString(SHA256.HashData(file));
    }

    public void Dispose()
    {
        ForgetMemory();
        Directory.Delete(Path, recursive: true);
    }
}

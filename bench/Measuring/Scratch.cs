using System;
using System.Globalization;
using System.IO;

namespace Weir.Bench.Measuring;

/// <summary>A folder for files that are measured on; gone afterwards.</summary>
internal sealed class Scratch : IDisposable
{
    private const int BlockBytes = 4 << 20;

    private readonly string _folder;

    /// <summary>Makes it in <paramref name="parent"/>, on the file system to be measured on.</summary>
    public Scratch(string parent)
    {
        _folder = Directory.CreateDirectory(Path.Combine(
        parent, "weir-bench-" + Environment.ProcessId.ToString(CultureInfo.InvariantCulture))).FullName;
        LeftOvers.Add(this);
    }

    /// <summary>A path in it.</summary>
    public string PathOf(string name) => Path.Combine(_folder, name);

    /// <summary>A new file of zeroes, whose space is allocated but never written.</summary>
    public string NewFile(string name, long bytes)
    {
        string path = PathOf(name);
        File.Delete(path);
        Tool.Run("fallocate", ["-l", bytes.ToString(CultureInfo.InvariantCulture), path]);
        // What the file system still has to do for the old file and for this one is nobody's who is measured.
        Tool.Run("sync", [path]);
        return path;
    }

    /// <summary>A new file that takes no space yet.</summary>
    public string NewSparse(string name, long bytes)
    {
        string path = PathOf(name);
        using FileStream file = File.Create(path);
        file.SetLength(bytes);
        return path;
    }

    /// <summary>
    /// A new file of zeroes that has been written once, past the page cache: as a device it is, whose blocks have their
    /// places. The first write to a place that is only allocated costs a file system several times as much.
    /// </summary>
    public string NewWritten(string name, long bytes)
    {
        string path = PathOf(name);
        File.Delete(path);
        string blocks = (bytes / BlockBytes).ToString(CultureInfo.InvariantCulture);
        Tool.Run("dd", ["if=/dev/zero", "of=" + path, "bs=" + BlockBytes.ToString(CultureInfo.InvariantCulture),
            "count=" + blocks, "oflag=direct", "conv=fsync"]);
        return path;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        LeftOvers.Remove(this);
        Directory.Delete(_folder, recursive: true);
    }
}

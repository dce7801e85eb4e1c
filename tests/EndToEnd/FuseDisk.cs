using System;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using Weir.Tests.Nbd;
using Weir.Tests.Tidy;

namespace Weir.Tests.EndToEnd;

/// <summary>
/// A mounted FUSE file system (fuse_disk.py) that loses at <see cref="Dispose"/> what was not fsynced, as a disk does
/// whose power fails.
/// </summary>
internal sealed class FuseDisk : IDisposable
{
    private readonly Process _server;
    private readonly string _lower;

    private FuseDisk(Process server, string lower, string mounted) =>
        (_server, _lower, Mounted) = (server, lower, mounted);

    /// <summary>Where its files are seen.</summary>
    public string Mounted { get; }

    /// <summary>The files of a folder; null, and a word why, where nobody may mount.</summary>
    public static FuseDisk? Mount(string lower, string point, Action<string> say)
    {
        Directory.CreateDirectory(point);
        string script = Path.Combine(SourceTree.Root, "tests", "EndToEnd", "fuse_disk.py");
        Process server = Process.Start(new ProcessStartInfo("python3", [script, lower, point])
        {
            RedirectStandardOutput = true,
        })!;
        string first = server.StandardOutput.ReadLine() ?? "";
        if (first == "mounted") return new FuseDisk(server, lower, point);
        server.WaitForExit();
        // EPERM, EACCES, ENOENT and ENODEV of /dev/fuse: not on this machine. All else is our mistake.
        if (first is not ("errno 1" or "errno 13" or "errno 2" or "errno 19"))
            throw new InvalidOperationException($"fuse_disk.py says '{first}'");
        say($"FUSE cannot be mounted here ({first}): nothing was tested");
        return null;
    }

    /// <summary>How often a file was fsynced.</summary>
    public int Fsyncs(string name)
    {
        string path = Path.Combine(_lower, name + ".fsyncs");
        return File.Exists(path) ? int.Parse(File.ReadAllText(path), CultureInfo.InvariantCulture) : 0;
    }

    /// <summary>It answers nothing any more, until it is thawed.</summary>
    public void Freeze() => Tool.Run("kill", "-STOP", $"{_server.Id}");

    public void Thaw() => Tool.Run("kill", "-CONT", $"{_server.Id}");

    public void Dispose()
    {
        _server.Kill();
        _server.WaitForExit();
        _server.Dispose();
        Tool.Run("umount", "-l", Mounted);
    }
}

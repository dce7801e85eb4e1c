using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;

namespace Weir.Bench.Measuring;

/// <summary>
/// A control group of processes with one limit of memory: what they allocate, what they share, and the page cache of
/// the files they read and write. Version 1 or 2, whichever the machine lets this process make.
/// </summary>
internal sealed class MemoryGroup : IDisposable
{
    private const string OldRoot = "/sys/fs/cgroup/memory", Root = "/sys/fs/cgroup";
    // A group can be removed when the kernel has reaped its last process, a moment after its end.
    private const int RemovalTries = 200, RemovalPauseMs = 5;

    private static int s_count;

    private readonly string _folder;
    private readonly bool _isOld;

    private MemoryGroup(string folder, bool isOld) => (_folder, _isOld) = (folder, isOld);

    /// <summary>Where a process writes its number to get in.</summary>
    public string Members => PathOf("cgroup.procs");

    /// <summary>The most that was in use at a time; NaN where the kernel does not say.</summary>
    public double PeakBytes => Number(_isOld ? "memory.max_usage_in_bytes" : "memory.peak");

    /// <summary>How often something had to go before something new came.</summary>
    public double TimesFull => _isOld ? Number("memory.failcnt") : Event("memory.events", "max");

    /// <summary>Processes that the kernel killed because nothing could go.</summary>
    public double Killed => Event(_isOld ? "memory.oom_control" : "memory.events", "oom_kill");

    /// <summary>An empty one; null where this process may not make any.</summary>
    public static MemoryGroup? TryMake(long limitBytes)
    {
        bool isOld = Directory.Exists(OldRoot);
        string name = string.Create(CultureInfo.InvariantCulture, $"weir-bench-{Environment.ProcessId}-{++s_count}");
        MemoryGroup group = new(Path.Combine(isOld ? OldRoot : Root, name), isOld);
        try
        {
            Directory.CreateDirectory(group._folder);
        }
        catch (Exception refusal) when (refusal is IOException or UnauthorizedAccessException)
        {
            return null;
        }
        if (group.TryLimit(limitBytes)) return group;
        group.Dispose();
        return null;
    }

    private bool TryLimit(long bytes)
    {
        try
        {
            string limit = bytes.ToString(CultureInfo.InvariantCulture);
            File.WriteAllText(PathOf(_isOld ? "memory.limit_in_bytes" : "memory.max"), limit);
            // A limit that swapping gets round is none; without swap there may be no such file.
            string swap = PathOf(_isOld ? "memory.swappiness" : "memory.swap.max");
            if (File.Exists(swap)) File.WriteAllText(swap, "0");
            return true;
        }
        catch (Exception refusal) when (refusal is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private string PathOf(string name) => Path.Combine(_folder, name);

    private double Number(string name) => File.Exists(PathOf(name))
        ? double.Parse(File.ReadAllText(PathOf(name)), CultureInfo.InvariantCulture) : double.NaN;

    private double Event(string file, string name)
    {
        IEnumerable<string> lines = File.Exists(PathOf(file)) ? File.ReadLines(PathOf(file)) : [];
        string? line = lines.FirstOrDefault(line => line.StartsWith(name + " ", StringComparison.Ordinal));
        return line == null ? double.NaN : double.Parse(line[(name.Length + 1)..], CultureInfo.InvariantCulture);
    }

    /// <summary>Removes it; its processes have ended.</summary>
    public void Dispose()
    {
        for (int left = RemovalTries; Directory.Exists(_folder); left--)
        {
            try
            {
                Directory.Delete(_folder);
            }
            catch (IOException) when (left > 0)
            {
                Thread.Sleep(RemovalPauseMs);
            }
        }
    }
}

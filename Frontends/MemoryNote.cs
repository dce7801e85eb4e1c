using System;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Frontends;

/// <summary>What is known of a file of memory that outlived, or may outlive, its process.</summary>
/// <param name="Path">The file.</param>
/// <param name="SizeBytes">Its size.</param>
/// <param name="MadeAt">When it was made.</param>
/// <param name="CacheId">Its cache's UUID; zero when it is not memory of Weir's.</param>
/// <param name="CachePath">Where its cache was; empty when that is not known.</param>
/// <param name="Use">Whether somebody still needs it.</param>
/// <param name="Why">The same in words.</param>
/// <param name="TryRemove">Removes it; false when a process has taken it meanwhile.</param>
internal sealed record MemoryNote(
    string Path, long SizeBytes, DateTime MadeAt, Guid CacheId, string CachePath, MemoryUse Use, string Why,
    Func<bool> TryRemove)
{
    private static readonly string[] s_states = ["in use", "needed", "unknown", "of no use"];

    /// <summary>For people: one line.</summary>
    public string Line => $"{Path} {ByteSize.Format(SizeBytes)}, {Age} old"
        + (CacheId == default ? "" : $", cache {CacheId:D}") + (CachePath.Length > 0 ? $" at {CachePath}" : "")
        + $": {Why}";

    /// <summary>For programs: an item.</summary>
    public void WriteTo(IItemWriter items)
    {
        items.Begin("memory");
        items.Text("path", Path);
        items.Number("size_bytes", SizeBytes);
        items.Number("age_seconds", Math.Max(0, (long)(DateTime.UtcNow - MadeAt).TotalSeconds));
        if (CacheId != default) items.Text("cache_uuid", CacheId.ToString("D"));
        if (CachePath.Length > 0) items.Text("cache", CachePath);
        items.Text("state", s_states[(int)Use]);
        items.Text("text", Why);
        items.End();
    }

    /// <summary>It is what a user means by this word: its path, its name, or its cache's UUID.</summary>
    public bool IsCalled(string word) => word == Path || word == System.IO.Path.GetFileName(Path)
        || (Guid.TryParse(word, out Guid id) && id == CacheId && id != default);

    private string Age
    {
        get
        {
            TimeSpan age = DateTime.UtcNow - MadeAt;
            if (age.TotalMinutes < 1) return "less than a minute";
            return age.TotalHours < 1 ? $"{(int)age.TotalMinutes} min"
                : age.TotalDays < 2 ? $"{(int)age.TotalHours} h" : $"{(int)age.TotalDays} days";
        }
    }
}

/// <summary>Whether memory is still needed.</summary>
internal enum MemoryUse
{
    /// <summary>A process has it.</summary>
    InUse,

    /// <summary>The next start of its cache needs it.</summary>
    Needed,

    /// <summary>That cannot be told.</summary>
    Unknown,

    /// <summary>Nobody needs it.</summary>
    None,
}

/// <summary>What is known of a block device of Weir's.</summary>
/// <param name="Path">The device.</param>
/// <param name="Name">Of the export.</param>
/// <param name="State">Who serves it, in words.</param>
/// <param name="StandsOn">The devices and files below it.</param>
internal sealed record BlockDeviceNote(string Path, string Name, string State, string StandsOn)
{
    /// <summary>For people: one line.</summary>
    public string Line => $"{Path} {Name}: {State} ({StandsOn})";

    /// <summary>For programs: an item.</summary>
    public void WriteTo(IItemWriter items)
    {
        items.Begin("block_device");
        items.Text("path", Path);
        items.Text("name", Name);
        items.Text("state", State);
        items.Text("devices", StandsOn);
        items.End();
    }
}

using Weir.Core.Base;
using Weir.Core.Io;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Volumes;

/// <summary>
/// The note that a cache was left behind: kept with each backing device, under the cache's name, because the cache
/// device can no longer be told. A start that finds one refuses the cache (R11).
/// </summary>
/// <param name="cache">The cache device's name, for people.</param>
/// <param name="key">Which cache it is, whatever the device is called today.</param>
internal sealed class StaleCacheMarker(string cache, string key)
{
    private readonly string _name = "weir-left-" + key;

    /// <summary>Leaves it with one backing device, durably; null, or why that could not be done.</summary>
    /// <param name="backing">The device.</param>
    /// <param name="epoch">The life of the cache in which it was left.</param>
    public string? Leave(Device backing, long epoch)
    {
        string text = $"{cache} failed in epoch {epoch} and was left behind: its log is older than what it was the "
            + "cache of\n";
        int result = backing.LeaveNote(_name, text);
        return result < 0 ? $"{backing.Name}: the note cannot be kept: {Errno.Text(result)}" : null;
    }

    /// <summary>Refuses a cache that <paramref name="backing"/> was written without.</summary>
    /// <exception cref="UserErrorException">There is a note.</exception>
    public void Check(Device backing)
    {
        if (backing.FindNote(_name) is not { } place) return;
        throw new UserErrorException($"{cache}: failed in an earlier run, and {backing.Name} "
            + $"was written without it since: its log is older; format it anew with --force, then remove {place}");
    }
}

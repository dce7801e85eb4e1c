using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Backings;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Writeboost.Errors;

/// <summary>
/// The note that a cache was left behind: kept with the backing device, under the cache's UUID, because the cache
/// device can no longer be told. A start that finds one refuses the cache (R11).
/// </summary>
internal static class CacheNote
{
    /// <summary>Leaves it with every backing device; null, or why that could not be done.</summary>
    public static string? Leave(WriteboostVolume volume)
    {
        if (Mutant.Is(WriteboostMutant.R11NoNote)) return null;
        string text = $"{volume.Cache.Name} failed in epoch {volume.Superblock.Epoch} and was left behind: its log is "
            + "older than what it was the cache of\n";
        foreach (BackingDevice backing in volume.Backings.ToList())
        {
            if (backing.IsAbsent) continue;
            int result = backing.Device.LeaveNote(NameOf(volume.RamName), text);
            if (result < 0) return $"{backing.Device.Name}: the note cannot be kept: {Errno.Text(result)}";
        }
        return null;
    }

    /// <summary>Refuses a cache that one of its backing devices was written without.</summary>
    /// <exception cref="UserErrorException">There is a note.</exception>
    public static void Check(WriteboostVolume volume)
    {
        foreach (BackingDevice backing in volume.Backings.ToList())
        {
            if (!backing.IsAbsent) Check(volume, backing.Device);
        }
    }

    /// <summary>The same for one device.</summary>
    /// <exception cref="UserErrorException">There is a note.</exception>
    public static void Check(WriteboostVolume volume, Device backing)
    {
        if (backing.FindNote(NameOf(volume.RamName)) is not { } place) return;
        throw new UserErrorException($"{volume.Cache.Name}: failed in an earlier run, and {backing.Name} "
            + $"was written without it since: its log is older; format it anew with --force, then remove {place}");
    }

    private static string NameOf(string cache) => "weir-left-" + cache;
}
